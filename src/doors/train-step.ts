import { inspect } from 'node:util';
import { checkNames, checkOneOf, checkWhole } from '../arguments.ts';
import type { RunResult } from '../backend/backend.ts';
import { openStore } from '../backend/device.ts';
import type { Numbers } from '../graph/kernel.ts';
import { FROM_THE_START } from '../graph/moment.ts';
import type { Shape, TensorType } from '../graph/types.ts';
import { crossEntropy } from '../nn/cross-entropy.ts';
import { describeModel, type Layer } from '../nn/layer.ts';
import { expectDims } from '../ops/define.ts';
import { counted, shown } from '../shown.ts';
import { besideState } from '../step/beside.ts';
import { type Adjusted, checkEpoch, momentOf } from '../step/epoch.ts';
import { type Ages, type Held, keep, loadHeld } from '../step/held.ts';
import { OptimizerStep, stepKeys } from '../step/optimizer-step.ts';
import { checkRate, lrOf, type Rate } from '../step/rate.ts';
import {
  type Loaded,
  type LoadOptions,
  readState,
  STEP_KEY,
  type StateDict,
} from '../step/state-dict.ts';
import { checkParts } from '../train/check-form.ts';
import { freeze } from '../train/frozen.ts';
import { checkIndices, type Indices, indicesOf } from '../train/indices.ts';
import { TrainedModel } from '../train/model.ts';
import { declareParameters } from '../train/parameters.ts';
import { TRAINING_OPTIONS, type TrainingOptions } from '../train/training.ts';
import { Turns } from '../train/turns.ts';
import { checkBatch } from '../train/whole-batch.ts';

/**
 * Options of a step for a loop of one's own: shape and type of an example, and those of `fit` that concern a step. An
 * unknown option is `FLATMIN_ARGUMENT`.
 */
export interface TrainStepOptions extends Omit<TrainingOptions, 'accumulate' | 'metrics'> {
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
  /**
   * Epochs already finished, which schedules in epochs go by: 0 before the first, 1 before the second. Undefined until it
   * is set; a step whose rate needs it is `FLATMIN_ARGUMENT` then.
   */
  epoch: number | undefined;
  /**
   * The learning rate of the coming step, as its schedule has it there; undefined where `groups` step with rates that
   * differ. Set it to a number ≥ 0 or a schedule, which counts on from the steps and epochs already done, and it takes the
   * place of the optimizer's until it is set to undefined. It is no part of `stateDict()`. `FLATMIN_ARGUMENT` for anything
   * else, and to read a schedule in epochs while `epoch` is unset.
   */
  get lr(): number | undefined;
  set lr(rate: Rate | undefined);
  /**
   * Parameters, optimizer state, count of steps, and where there is one the epoch: all that the coming steps depend on. Of
   * a parameter NAME that joined later `joined/NAME` has the steps before it.
   */
  stateDict(): StateDict;
  /**
   * Goes on from the `stateDict()` of a step with the same model and options, to the bit on the same backend and
   * instruction set. `FLATMIN_CHECKPOINT` lists tensors that are missing, unexpected or of another shape. With
   * `strict: false` a parameter that has nothing in the state keeps what it has here, its own count of steps too: one
   * that is new begins as in a first step.
   */
  loadStateDict(state: StateDict, options?: LoadOptions): Loaded;
}

type Inputs = Float32Array | Int32Array;
type Targets = Int32Array | Float32Array;

const { accumulate: _, metrics: __, ...COMMON } = TRAINING_OPTIONS;
const STEP_OPTIONS = { ...COMMON, input: true, inputType: true } as const;

const INPUTS = 'batch/inputs';
const TARGETS = 'batch/targets';

/** Compiles forward, backward and update for batches of one size. */
export function trainStep(model: Layer, options: TrainStepOptions): TrainStep {
  checkNames<TrainStepOptions>('trainStep', options, STEP_OPTIONS);
  checkParts(options);
  expectDims('input', options.input);
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
  const { trained, frozen } = freeze({ params, buffers }, options.frozen);
  declareParameters(store, { params, buffers }, seed);
  const place = (ages: Ages, name?: string): Held & { step: OptimizerStep; indices: Indices } => {
    const step = new OptimizerStep(store, {
      model,
      params: trained,
      frozen,
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
      ages,
      place: name,
    });
    return {
      step,
      indices: indicesOf(step.program.compiled.graph),
      store,
      keys: stepKeys({ params, buffers }, [step], [STEP_KEY]),
      params: trained.map(({ name }) => ({ name, age: ages.get(name) ?? FROM_THE_START })),
    };
  };
  store.declare(STEP_KEY, { dtype: 'i32', shape: [1] });
  let held = place(new Map());
  let places = 1;
  let epoch: number | undefined;
  let rate: Rate | undefined;
  let taken = 0;
  const turns = new Turns();
  const check = (inputs: Inputs, targets: Targets): void => {
    checkBatch('inputs', inputs, input);
    checkBatch(values ? 'targets' : 'labels', targets, targetsType);
    const code = 'FLATMIN_ARGUMENT';
    const rows = (key: string, data: Numbers, { shape }: TensorType, whose: string) => {
      checkIndices(held.indices, { key, data, shape: shape.slice(1), whose, code });
    };
    rows(INPUTS, inputs, input, 'The inputs of a step');
    rows(TARGETS, targets, targetsType, 'The labels of a step');
  };
  const moments = (inputs: Inputs, targets: Targets, at: Adjusted) => {
    store.write(INPUTS, inputs);
    store.write(TARGETS, targets);
    return [momentOf(taken + 1, seed, at)];
  };
  const settled = ({ reports }: RunResult): number => {
    taken += 1;
    return reports[0];
  };
  const run = (inputs: Inputs, targets: Targets): number => {
    check(inputs, targets);
    turns.expectIdle();
    return settled(held.step.runSync(moments(inputs, targets, { epoch, rate })));
  };
  const runAsync = async (inputs: Inputs, targets: Targets): Promise<number> => {
    check(inputs, targets);
    const [ownInputs, ownTargets, at] = [inputs.slice(), targets.slice(), { epoch, rate }];
    return turns.take(async () => settled(await held.step.run(moments(ownInputs, ownTargets, at))));
  };
  const settle = (): void => {
    turns.expectIdle();
    store.write(STEP_KEY, Int32Array.of(taken));
  };
  const made = Object.assign(run, {
    async: runAsync,
    model: new TrainedModel({
      model,
      params,
      buffers,
      store,
      loss,
      form: { dtype, shape: options.input },
      input,
      turns,
    }),
    stateDict: () => {
      settle();
      const ages = new Map(held.params.map(({ name, age }) => [name, age]));
      return { ...readState(store, held.keys), ...besideState({ epoch, ages }) };
    },
    loadStateDict: (state: StateDict, options: LoadOptions = {}) => {
      settle();
      const result = loadHeld(held, state, options, {
        taken,
        replace: (ages) => {
          const next = place(ages, `state/${places++}/`);
          keep(next, held);
          return next;
        },
      });
      held = result.held;
      epoch = result.epoch ?? epoch;
      [taken] = store.read(STEP_KEY);
      return result.loaded;
    },
  });
  const lrAt = (at: Adjusted) =>
    lrOf(held.step.program.compiled.graph, momentOf(taken + 1, seed, at));
  shown(
    made,
    () =>
      `trainStep after ${counted(taken, 'step')}: ${inspect(options.optimizer)}\n${inspect(made.model)}`,
  );
  return Object.defineProperties(made, {
    epoch: {
      get: () => epoch,
      set: (given: unknown) => {
        checkEpoch(given);
        epoch = given;
      },
    },
    lr: {
      get: () => lrAt({ epoch, rate }),
      set: (given: unknown) => {
        checkRate(given, lrAt({ epoch: epoch ?? 0 }));
        rate = given;
      },
    },
  }) as unknown as TrainStep;
}
