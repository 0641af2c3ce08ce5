import { inspect } from 'node:util';
import { z } from 'zod';
import { wrongArgument } from '../arguments.ts';
import type { DeviceOptions } from '../backend/device.ts';
import type { Program } from '../backend/program.ts';
import { FlatminError } from '../errors.ts';
import type { Moment } from '../graph/moment.ts';
import type { Shape } from '../graph/types.ts';
import { type NonFinitePolicy, STATUS, STATUS_KEY } from '../ops/status.ts';
import { checkOptions, wholeNumber } from '../options.ts';
import { counted } from '../shown.ts';
import {
  checkApart,
  checkGrads,
  checkParams,
  checkRecord,
  type Grads,
  type Params,
} from './arrays.ts';
import { besideState } from './beside.ts';
import type { CompiledStep } from './compiled-step.ts';
import type { Traceable } from './context.ts';
import { checkEpoch, momentOf } from './epoch.ts';
import { gradKey, inputsKey, outputGradsKey, paramKey } from './from-arrays.ts';
import { type Ages, hasAges, keep, lacking, loadHeld } from './held.ts';
import type { Observation } from './observation.ts';
import { Placed, type Settings } from './placed.ts';
import { checkRate, lrOf, type Rate } from './rate.ts';
import type { StepScalars } from './scalars.ts';
import { Staging } from './staging.ts';
import {
  type Loaded,
  type LoadOptions,
  readState,
  STEP_KEY,
  type StateDict,
} from './state-dict.ts';
import { lossStop } from './stop.ts';

/**
 * Options of every method that is bound to arrays: its seed, what it does with gradients that are not finite, device and
 * threads. An unknown option is `FLATMIN_ARGUMENT`.
 */
export interface BindOptions extends DeviceOptions {
  /** Decides what a method draws: Enim's rotations. Default 0. */
  readonly seed?: number;
  /** What a gradient that is not finite does. Default `throw`. */
  readonly onNonFinite?: NonFinitePolicy;
}

/** A method with its hyperparameters, traced into the step once. */
export interface Optimizer<B extends BoundOptimizer = BoundOptimizer> extends Traceable {
  /** Hyperparameters with all defaults filled in. */
  readonly options: Readonly<Record<string, unknown>>;
  /** What it is when bound to arrays, where that is more than a `BoundOptimizer`. */
  readonly Bound?: BoundConstructor<B>;
  /** The largest element of a tensor's gradient whose update stays within float32. Default `ROOM`. */
  readonly largest?: (shape: Shape) => number;
  /** Of a method that makes the gradients that its base steps with: the same method over `wrap(base)`. */
  readonly rebase?: (wrap: (base: Optimizer) => Optimizer) => Optimizer;
}

export type BoundConstructor<B> = new (
  optimizer: Optimizer,
  params: Params,
  options: BindOptions,
) => B;

/** What a closure returns: the loss and the gradients at the parameters as they are then. */
export interface Evaluated {
  readonly loss: number;
  readonly grads: Grads;
}

type Closure = () => Evaluated | Promise<Evaluated>;

/** Runs a phase of a step, or all of it. */
type RunPhase = (moment: Moment, grads: Grads, phase?: number) => void | Promise<void>;

const bindSchema = z.object({ seed: wholeNumber.default(0) });

/**
 * An optimizer on the caller's arrays, which every step updates in place. The arrays are looked at again on
 * each call; a wrong length, a detached or an overlapping array is `FLATMIN_ARGUMENT`. Parameters may join and leave
 * between two steps: `params.head = { data, shape }`, `delete params.head`. One that joins begins as in a first step, with
 * fresh state and a count of its own; one that leaves takes its state with it. Another shape is `FLATMIN_ARGUMENT`.
 */
export class BoundOptimizer {
  readonly optimizer: Optimizer;
  protected readonly params: Params;
  /** What was observed of each layer, copied; K-FAC's program depends on the shapes. */
  protected readonly observations = new Map<string, Observation>();
  readonly #staging = new Staging();
  readonly #settings: Settings;
  readonly #seed: number;
  #placed: Placed;
  #step = 0;
  #epoch: number | undefined;
  #rate: Rate | undefined;
  #busy = false;
  #losses: readonly number[] = [];
  #reported: StepScalars = {};

  constructor(optimizer: Optimizer, params: Params, options: BindOptions = {}) {
    checkParams(params);
    this.optimizer = optimizer;
    this.params = params;
    this.#seed = checkOptions(optimizer.name, bindSchema, options).seed;
    const { device, threads, onNonFinite = 'throw' } = options;
    this.#settings = { device, threads, onNonFinite };
    this.#placed = new Placed(optimizer, params, this.#settings);
    // Errors of shape and device belong to the construction.
    this.program();
  }

  /** One update from gradients; throws `FLATMIN_NUMERICS` when one is not finite. */
  step(grads: Grads): void;
  /**
   * One update of a method that may need the gradient at other points: calls `closure` once or more, each time
   * for the gradients at the parameters as they are at that moment. Resolves to the first loss.
   */
  step(closure: Closure): Promise<number>;
  step(given: Grads | Closure): undefined | Promise<number> {
    this.#begin();
    if (typeof given === 'function') return this.#stepWith(given, this.#runSync);
    this.#expectOneGradient();
    this.#runSync(this.#next(), given);
    this.#step += 1;
  }

  /**
   * The same off the main thread, to the bit. Arrays are copied in before and out after on the main thread, those on
   * SharedArrayBuffers used in place: nothing else may write to them meanwhile. What a parameter's array held is
   * replaced when the promise resolves; one that was detached or resized by then is `FLATMIN_ARGUMENT`, and the others
   * have their new values. On the JavaScript backend the work is done on the main thread, after the call returns.
   */
  stepAsync(grads: Grads): Promise<void>;
  stepAsync(closure: Closure): Promise<number>;
  async stepAsync(given: Grads | Closure): Promise<unknown> {
    this.#begin();
    if (typeof given === 'function') return this.#stepWith(given, this.#runAsync);
    this.#expectOneGradient();
    this.#busy = true;
    let lost: FlatminError | undefined;
    try {
      lost = await this.#runOffThread(this.#next(), given);
      this.#step += 1;
    } finally {
      this.#busy = false;
    }
    if (lost !== undefined) throw lost;
  }

  /** SAM's L(θ + ε̂) − L(θ) of the last step; `undefined` when that step had one gradient. */
  get sharpness(): number | undefined {
    const [at, above] = this.#losses;
    return above === undefined ? undefined : above - at;
  }

  /** What the last step told: SAM's sharpness, Lion's angular noise where it was asked for. */
  get scalars(): StepScalars {
    const { sharpness } = this;
    return { ...(sharpness !== undefined && { sharpness }), ...this.#reported };
  }

  /**
   * Epochs already finished, which schedules in epochs go by: `optimizer.epoch = 0` before the first, 1 before the second.
   * Undefined until it is set; a step whose rate needs it is `FLATMIN_ARGUMENT` then.
   */
  get epoch(): number | undefined {
    return this.#epoch;
  }

  set epoch(epoch: number | undefined) {
    checkEpoch(epoch);
    this.#epoch = epoch;
  }

  /**
   * The learning rate of the coming step, as its schedule has it there; undefined where `groups` step with rates that
   * differ. Set it to a number ≥ 0 or a schedule, which counts on from the steps and epochs already done, and it takes the
   * place of the option until it is set to undefined. It is no part of `stateDict()`, as options are none. `FLATMIN_ARGUMENT`
   * for anything else, and to read a schedule in epochs while `epoch` is unset.
   */
  get lr(): number | undefined {
    return lrOf(this.program().compiled.graph, this.#next());
  }

  set lr(rate: Rate | undefined) {
    const moment = momentOf(this.#step + 1, this.#seed, { epoch: this.#epoch ?? 0 });
    checkRate(rate, lrOf(this.program().compiled.graph, moment));
    this.#rate = rate;
  }

  /**
   * Everything that the coming steps depend on but the parameters, which are the caller's: the method's state, the
   * status block, the count of steps, and where there is one the epoch. Of a parameter NAME that joined later
   * `joined/NAME` has the steps before it. K-FAC's has the layers observed so far.
   */
  stateDict(): StateDict {
    this.#settle();
    const { store, keys, params } = this.#placed;
    const ages = new Map(params.map(({ name, age }) => [name, age]));
    return { ...readState(store, keys), ...besideState({ epoch: this.#epoch, ages }) };
  }

  /**
   * Goes on from a `stateDict()` of an optimizer with the same options, to the bit on the same backend and instruction
   * set. `FLATMIN_CHECKPOINT` lists tensors that are missing, unexpected or of another shape; nothing is changed then.
   * With `strict: false` a parameter that has nothing in the state keeps what it has here, its own count of steps too: one
   * that is new begins as in a first step.
   */
  loadStateDict(state: StateDict, options: LoadOptions = {}): Loaded {
    this.#settle();
    const { held, loaded, epoch } = loadHeld(this.#placed, state, options, {
      taken: this.#step,
      replace: (ages) => this.#replace(ages),
    });
    this.#placed = held;
    [this.#step] = held.store.read(STEP_KEY);
    this.#epoch = epoch ?? this.#epoch;
    return loaded;
  }

  /** Keys of the state for what is there now, with the count of steps in the store. */
  #settle(): void {
    this.#follow();
    this.program();
    this.#placed.store.write(STEP_KEY, Int32Array.of(this.#step));
  }

  /** Brings state and programs to the parameters that are there: some may have joined, others left. */
  #follow(): void {
    this.#expectIdle();
    const before = this.#placed;
    if (before.isFor(this.params)) return;
    checkParams(this.params);
    for (const layer of this.observations.keys()) {
      if (!Object.hasOwn(this.params, `${layer}.weight`)) this.observations.delete(layer);
    }
    const now = { step: this.#step, skipped: before.store.read(STATUS_KEY)[STATUS.skipped] };
    const ages = new Map(Object.keys(this.params).map((name) => [name, now]));
    for (const { name, age } of before.params) if (ages.has(name)) ages.set(name, age);
    const placed = this.#replace(ages);
    // One that another member of `groups` takes over begins anew there.
    const moved = lacking(placed, readState(before.store, before.keys));
    for (const name of moved) ages.set(name, now);
    this.#placed = hasAges(placed, ages) ? placed : this.#replace(ages);
  }

  /** For the present parameters and these ages, with all that can be kept. */
  #replace(ages: Ages): Placed {
    const placed = new Placed(this.optimizer, this.params, this.#settings, ages);
    placed.step(this.observations);
    keep(placed, this.#placed);
    return placed;
  }

  #begin(): void {
    this.#follow();
    this.beforeStep();
  }

  #expectIdle(): void {
    if (!this.#busy) return;
    throw new FlatminError('FLATMIN_BUSY', 'A step is in progress; await it first');
  }

  #expectOneGradient(): void {
    const phases = this.program().compiled.graph.phases.length - 1;
    if (phases === 1) return;
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `${this.optimizer.name} needs the gradient at ${phases} points of each step. Help: call step(async () => ({ loss, grads })).`,
    );
  }

  async #stepWith(closure: Closure, run: RunPhase): Promise<number> {
    const { phases: begun, sections } = this.program().compiled.graph;
    const phases = begun.length - 1;
    // Between two gradients the parameters may stand elsewhere: a closure that fails must not leave them there.
    const before =
      phases > 1 ? Object.values(this.params).map(({ data }) => ({ data, was: data.slice() })) : [];
    const restore = () => {
      for (const { data, was } of before) if (data.length === was.length) data.set(was);
    };
    const skipped = this.#placed.store.read(STATUS_KEY)[STATUS.skipped];
    this.#busy = true;
    try {
      const moment = this.#next();
      const losses: number[] = [];
      let grads: Grads = {};
      for (let phase = 1; phase <= phases; phase++) {
        if (sections[begun[phase]].due(moment.step)) {
          const evaluated = await closure();
          checkRecord('The result of a closure', evaluated);
          losses.push(evaluated.loss);
          grads = evaluated.grads;
          if (this.#skips(evaluated.loss, moment.step)) {
            restore();
            this.#setSkips(skipped + 1);
            break;
          }
        }
        if (phases === 1) {
          await run(moment, grads);
          continue;
        }
        // Phase 0 is what comes before the first gradient.
        if (phase === 1) await run(moment, grads, 0);
        await run(moment, grads, phase);
      }
      this.#step += 1;
      this.#losses = losses;
      return losses[0];
    } catch (error) {
      restore();
      // It will be taken again, so a skip within it does not count.
      this.#setSkips(skipped);
      throw error;
    } finally {
      this.#busy = false;
    }
  }

  #setSkips(skipped: number): void {
    const { store } = this.#placed;
    const status = store.read(STATUS_KEY);
    status[STATUS.skip] = 0;
    status[STATUS.skipped] = skipped;
    store.write(STATUS_KEY, status);
  }

  /** True for a loss that the step is to be left out for. */
  #skips(loss: unknown, step: number): boolean {
    if (typeof loss !== 'number') throw wrongArgument('The loss of a closure', 'a number', loss);
    const { onNonFinite } = this.#settings;
    if (Number.isFinite(loss) || onNonFinite === 'allow') return false;
    if (onNonFinite === 'skip') return true;
    throw new FlatminError('FLATMIN_NUMERICS', lossStop(step));
  }

  #next(): Moment {
    return momentOf(this.#step + 1, this.#seed, { epoch: this.#epoch, rate: this.#rate });
  }

  [inspect.custom](): string {
    const names = Object.keys(this.params);
    const numbers = names.reduce((sum, name) => sum + this.params[name].data.length, 0);
    return `${inspect(this.optimizer)} on ${counted(numbers, 'number')} in ${counted(names.length, 'array')}, after ${counted(this.#step, 'step')}`;
  }

  /** Throws when the coming step lacks something. */
  protected beforeStep(): void {}

  /** The step about to be taken, from 1. */
  protected get nextStep(): number {
    return this.#step + 1;
  }

  /** The program for the shapes that were observed. */
  protected program(): Program {
    return this.#compiled.program;
  }

  get #compiled(): CompiledStep {
    return this.#placed.step(this.observations);
  }

  /** All arrays of a step, looked at anew, under the keys of their buffers. */
  #arrays(grads: Grads): Map<string, Float32Array> {
    checkParams(this.params);
    if (!this.#placed.isFor(this.params)) {
      throw new FlatminError(
        'FLATMIN_ARGUMENT',
        'Parameters joined or left within a step. Help: change them between two steps.',
      );
    }
    checkGrads(this.params, grads);
    const names = Object.keys(this.params);
    checkApart([
      ...names.map((name) => ({ what: `Parameter "${name}"`, data: this.params[name].data })),
      ...names.map((name) => ({ what: `The gradient of "${name}"`, data: grads[name] })),
    ]);
    const arrays = new Map<string, Float32Array>();
    for (const name of names) {
      arrays.set(paramKey(name), this.params[name].data);
      arrays.set(gradKey(name), grads[name]);
    }
    for (const [layer, { inputs, outputGrads }] of this.observations) {
      arrays.set(inputsKey(layer), inputs.data);
      arrays.set(outputGradsKey(layer), outputGrads.data);
    }
    return arrays;
  }

  readonly #runSync: RunPhase = (moment, grads, phase) => {
    const arrays = this.#arrays(grads);
    const step = this.#compiled;
    const bindings = step.program.bound.map((key) => arrays.get(key) as Float32Array);
    const { reports } = step.runSync([moment], bindings, phase);
    this.#reported = step.scalars.read(reports, 0, moment.step);
  };

  readonly #runAsync: RunPhase = async (moment, grads, phase) => {
    const lost = await this.#runOffThread(moment, grads, phase);
    if (lost !== undefined) throw lost;
  };

  /** Resolves to the error of a parameter's array that was lost meanwhile. */
  async #runOffThread(
    moment: Moment,
    grads: Grads,
    phase?: number,
  ): Promise<FlatminError | undefined> {
    const arrays = this.#arrays(grads);
    const step = this.#compiled;
    const bindings = this.#staging.bringIn(step.program.bound, arrays);
    const { reports } = await step.run([moment], { bindings, phase });
    this.#reported = step.scalars.read(reports, 0, moment.step);
    const names = new Map(Object.keys(this.params).map((name) => [paramKey(name), name]));
    return this.#staging.bringOut(arrays, names);
  }
}
