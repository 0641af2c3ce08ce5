import { checkOneOf, checkWhole } from '../arguments.ts';
import type { RunResult } from '../backend/backend.ts';
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
import { Turns } from './turns.ts';
import { checkBatch } from './whole-batch.ts';

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
   * the output's shape. Returns the loss before the step, when all work is done: `async` leaves the main thread free.
   */
  (inputs: Inputs, targets: Targets): number;
  /**
   * The same off the main thread, to the bit: arrays are copied at the call. Calls take turns, with `predictAsync` too;
   * until they have ended whatever is not asynchronous throws `FLATMIN_BUSY`. On the JavaScript backend the work is done
   * on the main thread, after the call returns.
   */
  async(inputs: Inputs, targets: Targets): Promise<number>;
  readonly model: TrainedModel;
  /** Parameters, optimizer state and count of steps: all that the coming steps depend on. */
  stateDict(): StateDict;
  /**
   * Goes on from the `stateDict()` of a step with the same model and options, to the bit on the same backend and
   * instruction set. `FLATMIN_CHECKPOINT` lists tensors that are missing, unexpected or of another shape.
   */
  loadStateDict(state: StateDict, options?: LoadOptions): Loaded;
}

type Inputs = Float32Array | Int32Array;
type Targets = Int32Array | Float32Array;

const INPUTS = 'batch/inputs';
const TARGETS = 'batch/targets';

/** Compiles forward, backward and update for batches of one size. */
export function trainStep(model: Layer, options: TrainStepOptions): TrainStep {
  const batch = checkWhole('batch', options.batch ?? 32, 1);
  const seed = checkWhole('seed', options.seed ?? 0, 0);
  const dtype = checkOneOf('inputType', options.inputType ?? 'f32', ['f32', 'i32']);
  const input: TensorType = { dtype, shape: [batch, ...options.input] };
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
  const turns = new Turns();
  const check = (inputs: Inputs, targets: Targets): void => {
    checkBatch('inputs', inputs, input);
    checkBatch(values ? 'targets' : 'labels', targets, targetsType);
    const bad = values ? -1 : targets.findIndex((label) => label < least || label >= classes);
    if (bad !== -1) {
      throw new FlatminError(
        'FLATMIN_ARGUMENT',
        `Label ${targets[bad]} of row ${bad} is outside ${least} … ${classes - 1}`,
      );
    }
  };
  const moments = (inputs: Inputs, targets: Targets) => {
    store.write(INPUTS, inputs);
    store.write(TARGETS, targets);
    return [{ step: taken + 1, epoch: 0, seed, offset: 0 }];
  };
  const settled = ({ reports }: RunResult): number => {
    taken += 1;
    return reports[0];
  };
  const run = (inputs: Inputs, targets: Targets): number => {
    check(inputs, targets);
    turns.expectIdle();
    return settled(step.runSync(moments(inputs, targets)));
  };
  const runAsync = async (inputs: Inputs, targets: Targets): Promise<number> => {
    check(inputs, targets);
    const [ownInputs, ownTargets] = [inputs.slice(), targets.slice()];
    return turns.take(async () => settled(await step.run(moments(ownInputs, ownTargets))));
  };
  store.declare(STEP_KEY, { dtype: 'i32', shape: [1] });
  const settle = (): StateKeys => {
    turns.expectIdle();
    store.write(STEP_KEY, Int32Array.of(taken));
    const names = [...params, ...buffers].map((p) => parameterKey(p.name));
    return byKey([...names, ...step.stateKeys, STATUS_KEY, STEP_KEY]);
  };
  return Object.assign(run, {
    async: runAsync,
    model: new TrainedModel({ model, params, buffers, store, input, turns }),
    stateDict: () => readState(store, settle()),
    loadStateDict: (state: StateDict, options?: LoadOptions) => {
      const loaded = writeState(store, settle(), state, options);
      [taken] = store.read(STEP_KEY);
      return loaded;
    },
  });
}
