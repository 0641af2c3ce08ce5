import { z } from 'zod';
import type { RunResult, Store } from '../backend/backend.ts';
import { type DeviceOptions, openStore } from '../backend/device.ts';
import { FlatminError } from '../errors.ts';
import { type Compiled, compile } from '../graph/compile.ts';
import { Graph, type Moment } from '../graph/graph.ts';
import { Program } from '../graph/program.ts';
import type { Shape } from '../graph/types.ts';
import type { Numbers, Tap } from '../ops/define.ts';
import {
  checkFinite,
  type NonFinitePolicy,
  STATUS,
  STATUS_KEY,
  statusBlock,
} from '../ops/status.ts';
import {
  byKey,
  type Loaded,
  type LoadOptions,
  readState,
  STEP_KEY,
  type StateDict,
  type StateKeys,
  writeState,
} from '../train/state-dict.ts';
import { stopError } from '../train/stop.ts';
import {
  checkApart,
  checkGrads,
  checkParams,
  checkRecord,
  type Grads,
  type Params,
} from './arrays.ts';
import type { Observation } from './observation.ts';
import type { Optimizer, Pass } from './optimizer.ts';
import { checkOptions, wholeNumber } from './options.ts';
import { Scalars, type StepScalars } from './scalars.ts';
import { Staging } from './staging.ts';

export interface BindOptions extends DeviceOptions {
  /** Decides what a method draws: Enim's rotations. Default 0. */
  readonly seed?: number;
  /** What a gradient that is not finite does. Default `throw`. */
  readonly onNonFinite?: NonFinitePolicy;
}

/** What a closure returns: the loss and the gradients at the parameters as they are then. */
export interface Evaluated {
  readonly loss: number;
  readonly grads: Grads;
}

/** Programs that are kept for the shapes observed last. */
const PROGRAMS = 16;

type Closure = () => Evaluated | Promise<Evaluated>;

/** Runs a phase of a step, or all of it. */
type RunPhase = (moment: Moment, grads: Grads, phase?: number) => void | Promise<void>;

const inputsKey = (layer: string) => `observed/${layer}/inputs`;
const outputGradsKey = (layer: string) => `observed/${layer}/outputGrads`;
const paramKey = (name: string) => `bound/${name}`;
const gradKey = (name: string) => `grad/${name}`;

const bindSchema = z.object({ seed: wholeNumber.default(0) });

/**
 * An optimizer on the caller's arrays, which every step updates in place. The arrays are looked at again on
 * each call; a wrong length, a detached or an overlapping array is `FLATMIN_ARGUMENT`.
 */
export class BoundOptimizer {
  readonly optimizer: Optimizer;
  protected readonly params: Params;
  /** What was observed of each layer, copied; K-FAC's program depends on the shapes. */
  protected readonly observations = new Map<string, Observation>();
  readonly #store: Store;
  readonly #programs = new Map<string, { program: Program; scalars: Scalars }>();
  readonly #staging = new Staging();
  readonly #stateKeys = new Set([STATUS_KEY, STEP_KEY]);
  readonly #seed: number;
  readonly #policy: NonFinitePolicy;
  #step = 0;
  #busy = false;
  #losses: readonly number[] = [];
  #reported: StepScalars = {};

  constructor(optimizer: Optimizer, params: Params, options: BindOptions = {}) {
    checkParams(params);
    this.optimizer = optimizer;
    this.params = params;
    this.#seed = checkOptions(optimizer.name, bindSchema, options).seed;
    this.#policy = options.onNonFinite ?? 'throw';
    this.#store = openStore(options);
    this.#store.declare(STEP_KEY, { dtype: 'i32', shape: [1] });
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
    this.#expectIdle();
    this.beforeStep();
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
    this.#expectIdle();
    this.beforeStep();
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
   * Everything that the coming steps depend on but the parameters, which are the caller's: the method's state, the
   * status block and the count of steps. K-FAC's has the layers observed so far.
   */
  stateDict(): StateDict {
    return readState(this.#store, this.#settle());
  }

  /**
   * Goes on from a `stateDict()` of an optimizer with the same options, to the bit on the same backend and instruction
   * set. `FLATMIN_CHECKPOINT` lists tensors that are missing, unexpected or of another shape; nothing is changed then.
   */
  loadStateDict(state: StateDict, options?: LoadOptions): Loaded {
    const loaded = writeState(this.#store, this.#settle(), state, options);
    [this.#step] = this.#store.read(STEP_KEY);
    return loaded;
  }

  /** Keys of the state, with the count of steps in the store. */
  #settle(): StateKeys {
    this.#expectIdle();
    this.program();
    this.#store.write(STEP_KEY, Int32Array.of(this.#step));
    return byKey(this.#stateKeys);
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
    this.#busy = true;
    const { phases: begun, sections } = this.program().compiled.graph;
    const phases = begun.length - 1;
    // Between two gradients the parameters may stand elsewhere: a closure that fails must not leave them there.
    const before = phases > 1 ? Object.values(this.params).map(({ data }) => data.slice()) : [];
    const skipped = this.#store.read(STATUS_KEY)[STATUS.skipped];
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
      for (const [i, { data }] of Object.values(this.params).entries()) {
        if (data.length === before[i]?.length) data.set(before[i]);
      }
      this.#forgetSkip(skipped);
      throw error;
    } finally {
      this.#busy = false;
    }
  }

  /** The step that failed will be taken again, so a skip within it does not count. */
  #forgetSkip(skipped: number): void {
    const status = this.#store.read(STATUS_KEY);
    status[STATUS.skip] = 0;
    status[STATUS.skipped] = skipped;
    this.#store.write(STATUS_KEY, status);
  }

  #next(): Moment {
    return { step: this.#step + 1, epoch: 0, seed: this.#seed, offset: 0 };
  }

  /** Throws when the coming step lacks something. */
  protected beforeStep(): void {}

  /** The step about to be taken, from 1. */
  protected get nextStep(): number {
    return this.#step + 1;
  }

  /** The program for the shapes that were observed; all of them share the state. */
  protected program(): Program {
    return this.#traced().program;
  }

  #traced() {
    const key = JSON.stringify(
      [...this.observations].map(([name, { inputs, attrs }]) => [name, inputs.shape, attrs]),
    );
    let known = this.#programs.get(key);
    if (known === undefined) {
      const traced = traceBound(this.optimizer, this.params, this.observations, this.#policy);
      const fresh = traced.states.filter(({ key }) => !this.#store.has(key));
      known = { program: new Program(traced.compiled, this.#store), scalars: traced.scalars };
      for (const { key } of traced.states) this.#stateKeys.add(key);
      for (const { key, fill } of fresh) {
        if (fill === undefined) continue;
        const data = this.#store.read(key);
        fill(data);
        this.#store.write(key, data);
      }
    }
    // The last one used stands last.
    this.#programs.delete(key);
    this.#programs.set(key, known);
    const [oldest] = this.#programs.keys();
    if (this.#programs.size > PROGRAMS) this.#programs.delete(oldest);
    return known;
  }

  /** All arrays of a step, looked at anew, under the keys of their buffers. */
  #arrays(grads: Grads): Map<string, Float32Array> {
    checkParams(this.params);
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
    const { program } = this.#traced();
    const bindings = program.bound.map((key) => arrays.get(key) as Float32Array);
    this.#settleRun(program.runSync([moment], bindings, phase), moment);
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
    const { program } = this.#traced();
    const bindings = this.#staging.bringIn(program.bound, arrays);
    const result = await program.run([moment], { bindings, phase });
    this.#settleRun(result, moment);
    const names = new Map(Object.keys(this.params).map((name) => [paramKey(name), name]));
    return this.#staging.bringOut(arrays, names);
  }

  #settleRun({ reports, stopped }: RunResult, { step }: Moment): void {
    if (stopped) throw stopError(this.#store, Object.keys(this.params));
    this.#reported = this.#traced().scalars.read(reports, 0, step);
  }
}

const noOutputs = () =>
  new FlatminError(
    'FLATMIN_ARGUMENT',
    "fisher 'exact' needs a model's outputs, which are not there on arrays. Help: observe() gradients for drawn labels, or the data's.",
  );

/** The optimizer's program with bound arrays: phase 0 is what comes before the first gradient. */
function traceBound(
  optimizer: Optimizer,
  params: Params,
  observations: ReadonlyMap<string, Observation>,
  policy: NonFinitePolicy,
) {
  const graph = new Graph();
  const status = statusBlock(graph);
  const names = Object.keys(params);
  const states: { key: string; fill?: (data: Numbers) => void }[] = [];
  const scalars = new Scalars();
  const f32 = (key: string, shape: Shape) => graph.bound(key, { dtype: 'f32', shape });
  const parameter = (name: string) => f32(paramKey(name), params[name].shape);
  const gradient = (): Pass => {
    graph.nextPhase();
    return {
      grads: names.map((name) => f32(gradKey(name), params[name].shape)),
      tapGradients: (fisher) => {
        if (fisher === 'exact') throw noOutputs();
        return [...observations].map(([layer, { kind, inputs, outputGrads, attrs }]) => {
          const gradient = f32(outputGradsKey(layer), outputGrads.shape);
          const tap: Tap = {
            kind,
            input: f32(inputsKey(layer), inputs.shape),
            preActivation: gradient,
            weight: parameter(`${layer}.weight`),
            bias: `${layer}.bias` in params ? parameter(`${layer}.bias`) : undefined,
            attrs,
          };
          return { tap, gradients: [gradient] };
        });
      },
    };
  };
  optimizer.trace({
    graph,
    status,
    params: names.map((name, index) => ({ name, value: parameter(name), index })),
    gradient,
    forward: () => {
      throw new FlatminError(
        'FLATMIN_ARGUMENT',
        `${optimizer.name} needs a model to see the loss of its step, and is bound to arrays`,
      );
    },
    state: (name, type, fill) => {
      const key = `state/${name}`;
      states.push({ key, fill });
      return graph.stored(key, type);
    },
    checkFinite: (grads) => checkFinite(status, grads, policy),
    report: scalars.report,
  });
  const compiled: Compiled = compile(graph, { reports: scalars.values, status });
  return { compiled, states, scalars };
}
