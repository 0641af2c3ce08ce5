import { Bench } from 'tinybench';
import { openStore } from '#flatmin/backend/device';
import { Program } from '#flatmin/backend/program';
import { compile } from '#flatmin/graph/compile';
import { Graph, type Value } from '#flatmin/graph/graph';
import type { Numbers } from '#flatmin/graph/kernel';
import type { Precision } from '#flatmin/graph/precision';
import { type DType, type Shape, sizeOf } from '#flatmin/graph/types';
import { statusBlock } from '#flatmin/ops/status';
import type { Sample, Target } from './suite.ts';

/** A trace whose stored buffers come with their data. */
export class Inputs {
  readonly graph: Graph;
  readonly data = new Map<string, Numbers>();
  /** Read by every update; one that sets it ends the benchmark. */
  readonly status: Value;

  constructor(precision?: Precision) {
    this.graph = new Graph(precision);
    this.status = statusBlock(this.graph);
  }

  f32(shape: Shape, data: Float32Array = noise(sizeOf(shape))): Value {
    return this.#stored('f32', shape, data);
  }

  /** Zeros. */
  bf16(shape: Shape): Value {
    return this.#stored('bf16', shape, new Uint16Array(sizeOf(shape)));
  }

  i32(shape: Shape, data = new Int32Array(sizeOf(shape))): Value {
    return this.#stored('i32', shape, data);
  }

  #stored(dtype: DType, shape: Shape, data: Numbers): Value {
    const key = `input/${this.data.size}`;
    this.data.set(key, data);
    return this.graph.stored(key, { dtype, shape });
  }
}

/** Traces what is timed; values that it returns are computed though nothing reads them. */
export type Build = (inputs: Inputs) => readonly Value[];

export interface Traced {
  readonly build: Build;
  /** Of its products, default `float32`. */
  readonly precision?: Precision;
  /** What is to be said of its results, of which those can be read that are stored inputs. */
  readonly measured?: (read: (stored: Value) => Numbers) => string;
}

/** Milliseconds of one timed call at least, so that the call itself does not count. */
const CALL = 1;
const MOMENT = { step: 1, epoch: 0, seed: 0, offset: 0 };

/** The median time of one step of a program that holds nothing but what `build` traces. */
export function timeProgram(target: Target, traced: Traced): Sample {
  const { program, read } = load(target, traced);
  const run = (steps: number) => {
    const { stopped } = program.runSync(new Array(steps).fill(MOMENT));
    if (stopped) throw new Error('The status block stopped the run, so nothing was timed');
  };
  run(1);
  const started = performance.now();
  run(1);
  const steps = Math.ceil(CALL / Math.max(1e-3, performance.now() - started));
  const bench = new Bench({ time: 200, iterations: 2, warmupTime: 50, warmupIterations: 1 });
  bench.add('step', () => {
    run(steps);
  });
  const { result } = bench.runSync()[0];
  if (result.state !== 'completed') throw new Error(`The benchmark ${result.state}`);
  const seconds = result.latency.p50 / 1000 / steps;
  const { measured } = traced;
  return measured === undefined ? { seconds } : { seconds, measured: measured(read) };
}

function load(target: Target, { build, precision }: Traced) {
  const inputs = new Inputs(precision);
  const outputs = inputs.graph.inPrecision(() => build(inputs));
  // Outputs stand as reports, which keeps them alive, and then move from the arena to the store.
  const compiled = compile(inputs.graph, { reports: outputs, status: inputs.status });
  const buffers = [...compiled.spec.buffers];
  const store = openStore(target);
  compiled.spec.reports.forEach((id, i) => {
    const key = `output/${i}`;
    store.declare(key, outputs[i].type);
    buffers[id] = { ...buffers[id], place: { kind: 'store', key } };
  });
  const program = new Program(
    { ...compiled, spec: { ...compiled.spec, buffers, reports: [] } },
    store,
  );
  for (const [key, data] of inputs.data) if (store.has(key)) store.write(key, data);
  return { program, read: ({ key }: Value): Numbers => store.read(key) };
}

/** Uniform in [−1, 1), the same every time. */
export function noise(size: number): Float32Array {
  const values = new Float32Array(size);
  let state = 1;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    values[i] = state / 2 ** 31;
  }
  return values;
}
