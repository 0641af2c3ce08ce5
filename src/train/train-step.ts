import { checkWhole } from '../arguments.ts';
import { openStore } from '../backend/device.ts';
import { FlatminError } from '../errors.ts';
import type { Shape, TensorType } from '../graph/types.ts';
import { describeModel, type Layer, parameterKey } from '../nn/layer.ts';
import { crossEntropy } from '../nn/loss.ts';
import { STATUS_KEY } from '../ops/status.ts';
import { TrainedModel } from './model.ts';
import { OptimizerStep } from './optimizer-step.ts';
import { declareParameters } from './parameters.ts';
import { leastLabel } from './source.ts';
import {
  byKey,
  type Loaded,
  type LoadOptions,
  readState,
  STEP_KEY,
  type StateDict,
  type StateKeys,
  writeState,
} from './state-dict.ts';
import type { TrainingOptions } from './training.ts';

export interface TrainStepOptions extends Omit<TrainingOptions, 'accumulate'> {
  /** Shape of one example, as the network takes it. */
  readonly input: Shape;
  /** What the network takes: numbers, or whole numbers as the tokens of an `embedding`. Default `f32`. */
  readonly inputType?: 'f32' | 'i32';
}

/** A compiled step for a training loop of one's own. */
export interface TrainStep {
  /**
   * One optimizer step on a batch: inputs [batch, …] as the network takes them; targets are one class index a row of the
   * output, where −1 is padding for `tokenCrossEntropy()`, or for losses of numbers as `squaredError()` a Float32Array of
   * the output's shape. Returns the loss before the step.
   */
  (inputs: Float32Array | Int32Array, targets: Int32Array | Float32Array): number;
  readonly model: TrainedModel;
  /** Parameters, optimizer state and count of steps: all that the coming steps depend on. */
  stateDict(): StateDict;
  /**
   * Goes on from the `stateDict()` of a step with the same model and options, to the bit on the same backend and
   * instruction set. `FLATMIN_CHECKPOINT` lists tensors that are missing, unexpected or of another shape.
   */
  loadStateDict(state: StateDict, options?: LoadOptions): Loaded;
}

const ARRAYS = { f32: Float32Array, i32: Int32Array };
const INPUTS = 'batch/inputs';
const TARGETS = 'batch/targets';

/** Compiles forward, backward and update for batches of one size. */
export function trainStep(model: Layer, options: TrainStepOptions): TrainStep {
  const batch = checkWhole('batch', options.batch ?? 32, 1);
  const seed = checkWhole('seed', options.seed ?? 0, 0);
  const dtype = options.inputType ?? 'f32';
  if (!Object.hasOwn(ARRAYS, dtype)) {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `inputType must be one of f32, i32, got ${JSON.stringify(dtype)}`,
    );
  }
  const Inputs = ARRAYS[dtype];
  const input = { dtype, shape: [batch, ...options.input] };
  const store = openStore(options);
  const { params, buffers, output } = describeModel(model, input);
  const loss = options.loss ?? crossEntropy();
  const values = loss.targets === 'values';
  const targetsType: TensorType = values
    ? output
    : { dtype: 'i32', shape: output.shape.slice(0, -1) };
  const classes = output.shape[output.shape.length - 1];
  const least = leastLabel(loss);
  declareParameters(store, { params, buffers }, seed);
  const step = new OptimizerStep(store, {
    model,
    params,
    loss,
    optimizer: options.optimizer,
    onNonFinite: options.onNonFinite ?? 'throw',
    precision: options.precision,
    parts: [
      {
        rows: batch,
        trace: (graph) => ({
          inputs: graph.stored(INPUTS, input),
          targets: graph.stored(TARGETS, targetsType),
        }),
      },
    ],
  });
  let taken = 0;
  const run = (inputs: Float32Array | Int32Array, targets: Int32Array | Float32Array): number => {
    if (!(inputs instanceof Inputs) || !(targets instanceof (values ? Float32Array : Int32Array))) {
      throw new FlatminError(
        'FLATMIN_ARGUMENT',
        `A step takes inputs as ${Inputs === Int32Array ? 'an Int32Array' : 'a Float32Array'} and ${values ? 'targets as a Float32Array' : 'labels as an Int32Array'}`,
      );
    }
    const bad = values ? -1 : targets.findIndex((label) => label < least || label >= classes);
    if (bad !== -1) {
      throw new FlatminError(
        'FLATMIN_ARGUMENT',
        `Label ${targets[bad]} of row ${bad} is outside ${least} … ${classes - 1}`,
      );
    }
    store.write(INPUTS, inputs);
    store.write(TARGETS, targets);
    const { reports } = step.runSync([{ step: taken + 1, epoch: 0, seed, offset: 0 }]);
    taken += 1;
    return reports[0];
  };
  store.declare(STEP_KEY, { dtype: 'i32', shape: [1] });
  const settle = (): StateKeys => {
    store.write(STEP_KEY, Int32Array.of(taken));
    const names = [...params, ...buffers].map((p) => parameterKey(p.name));
    return byKey([...names, ...step.stateKeys, STATUS_KEY, STEP_KEY]);
  };
  return Object.assign(run, {
    model: new TrainedModel({ model, params, buffers, store, input }),
    stateDict: () => readState(store, settle()),
    loadStateDict: (state: StateDict, options?: LoadOptions) => {
      const loaded = writeState(store, settle(), state, options);
      [taken] = store.read(STEP_KEY);
      return loaded;
    },
  });
}
