/**
 * Conformance: every op on every backend against a float64 oracle.
 *
 * A case names its op, its inputs, how to trace it and what must come out:
 *
 *   export const cases: Case[] = SIZES.map((n) => ({
 *     op: 'relu',                                  // the op it stands for, of opNames()
 *     name: `[${n}]`,                              // what is special about it
 *     inputs: [f32([n], random(n))],               // f32(shape, data), i32(…), u8(…), bf16(shape, bits)
 *     build: ([x]) => [relu(x)],                   // (inputs, graph) → outputs, traced
 *     oracle: ([x]) => [x.map((v) => Math.max(v, 0))], // doubles, independent of the op's own kernel
 *     gradient: [0],                               // inputs whose gradient and tangent are checked (default none)
 *     tolerance: { rel: 1e-6 },                    // of f32 backends; default { rel: 1e-6, abs: 3e-45 }; what is
 *                                                  // kept in bf16 may be off by a unit in the last place, but for rel 0
 *     gradientTolerance: { rel: 1e-5 },            // default { rel: 1e-5, abs: 1e-6 }
 *   }));
 *
 * Inputs are stored buffers, so an op that updates them in place returns them as outputs of `build`, and
 * `moments` (default one) runs it several times. Every file in cases/ exports `cases` and is found by name.
 * Backends are listed in backends.ts. What is checked of each case is listed in conformance.test.ts.
 */

import { gradients, pushforward, pushforwards } from '../../src/autodiff/gradients.ts';
import type { Store } from '../../src/backend/backend.ts';
import { JsStore } from '../../src/backend/js/store.ts';
import { Program } from '../../src/backend/program.ts';
import { type Compiled, compile } from '../../src/graph/compile.ts';
import { Graph, type Value } from '../../src/graph/graph.ts';
import type { Numbers } from '../../src/graph/kernel.ts';
import type { Moment } from '../../src/graph/moment.ts';
import type { Precision } from '../../src/graph/precision.ts';
import type { BufferSpec, ProgramSpec, TensorType } from '../../src/graph/types.ts';
import { add, mul } from '../../src/ops/binary.ts';
import { findOp } from '../../src/ops/define.ts';
import { fill } from '../../src/ops/fill.ts';
import { sum } from '../../src/ops/reduce.ts';
import { fromBits } from '../optim/oracles/bf16.ts';
import { random } from './data.ts';

export interface Tensor extends TensorType {
  readonly data: Numbers;
}

export interface Tolerance {
  readonly rel?: number;
  readonly abs?: number;
}

export interface Case {
  readonly op: string;
  readonly name: string;
  readonly inputs: readonly Tensor[];
  build(inputs: readonly Value[], graph: Graph): readonly Value[];
  oracle(
    inputs: readonly Float64Array[],
    moments: readonly Moment[],
  ): readonly (Float64Array | readonly number[])[];
  readonly gradient?: readonly number[];
  readonly tolerance?: Tolerance;
  readonly gradientTolerance?: Tolerance;
  /** Why its gradient's tangent is not checked. */
  readonly once?: string;
  readonly moments?: readonly Moment[];
}

/** Of gradients on f32 backends. */
export const GRADIENTS: Tolerance = { rel: 1e-5, abs: 1e-6 };

export const MOMENT: Moment = { step: 1, epoch: 0, seed: 1234567890123, offset: 0 };

/** A traced case, ready for any store. */
export interface Traced {
  readonly case: Case;
  readonly isGradient: boolean;
  readonly spec: ProgramSpec;
  /** `spec` with the graph that it was compiled from. */
  readonly compiled: Compiled;
  /** Buffers of the outputs. */
  readonly outputs: readonly number[];
  readonly run: (store: Store) => Numbers[];
}

/** The outputs of a case; its products in `precision`. */
export function traceForward(c: Case, precision?: Precision): Traced {
  const { graph, inputs } = inputsOf(c, precision);
  return finish(
    c,
    graph,
    graph.inPrecision(() => c.build(inputs, graph)),
  );
}

/** Gradients of Σ weights · outputs with respect to `c.gradient`, weights drawn by `weightsOf`. */
export function traceGradient(c: Case, precision?: Precision): Traced {
  const { graph, inputs } = inputsOf(c, precision);
  const grads = graph.inPrecision(() => gradientsOf(c, graph, inputs));
  const missing = grads.indexOf(undefined);
  if (missing !== -1) throw new Error(`no gradient reaches input ${c.gradient?.[missing]}`);
  return { ...finish(c, graph, grads as Value[]), isGradient: true };
}

function gradientsOf(c: Case, graph: Graph, inputs: readonly Value[]): (Value | undefined)[] {
  const terms = c.build(inputs, graph).flatMap((y, i) => {
    if (y.dtype !== 'f32') return [];
    const w = graph.stored(`weights.${i}`, y.type);
    return [sum(mul(y, w))];
  });
  const wrt = (c.gradient ?? []).map((i) => inputs[i]);
  return gradients(terms.reduce(add), wrt);
}

/** Tangents of the f32 outputs along those of `c.gradient`, number i of which is drawn by `weightsOf(i)`. */
export function traceTangent(c: Case): Traced {
  const { graph, inputs } = inputsOf(c);
  const wrt = (c.gradient ?? []).map((i) => inputs[i]);
  const outputs = c.build(inputs, graph).filter((y) => y.dtype === 'f32');
  const dxs = wrt.map((x, i) => graph.stored(`weights.${i}`, x.type));
  const dys = outputs.map((y) => pushforward(y, wrt, dxs));
  return finish(c, graph, dys);
}

/** Tangents of these gradients along those of `c.gradient` in doubles; recurrences are traced step by step. */
export function secondOrder(c: Case): Float64Array[] {
  const { graph, inputs } = inputsOf(c, 'float32', true);
  const wrt = (c.gradient ?? []).map((i) => inputs[i]);
  const grads = gradientsOf(c, graph, inputs).map((dx, i) => dx ?? fill(graph, wrt[i].shape, 0));
  const dxs = wrt.map((x, i) => graph.stored(`along.${i}`, x.type));
  const moved = pushforwards(grads, wrt, dxs);
  // Each of its own: `finish` moves outputs, and another may read the same value by an alias.
  const outputs = moved.map((dy, i) => {
    const zero = fill(graph, grads[i].shape, 0);
    return dy === undefined ? zero : add(dy, zero);
  });
  return inDoubles(finish(c, graph, outputs));
}

/** Along which input number `input` of those of `c.gradient` moves. */
export const alongOf = (input: number, size: number): Float32Array =>
  random(size, { seed: 2000 + input });

export const weightsOf = (output: number, size: number): Float32Array =>
  random(size, { seed: 1000 + output });

function inputsOf(
  c: Case,
  precision?: Precision,
  unrolled?: boolean,
): { graph: Graph; inputs: Value[] } {
  const graph = new Graph(precision, unrolled);
  const inputs = c.inputs.map(({ dtype, shape }, i) => graph.stored(`in.${i}`, { dtype, shape }));
  return { graph, inputs };
}

function finish(c: Case, graph: Graph, outputs: readonly Value[]): Traced {
  // Outputs stand as reports, which keeps them alive, and then move from the arena to the store.
  const roots = outputs.map(withoutAliases);
  const compiled = compile(graph, { reports: roots });
  const keys = roots.map((root) =>
    root.place === 'store' ? root.key : `out.${roots.indexOf(root)}`,
  );
  const buffers: BufferSpec[] = [...compiled.spec.buffers];
  compiled.spec.reports.forEach((id, i) => {
    buffers[id] = { ...buffers[id], place: { kind: 'store', key: keys[i] } };
  });
  const spec = { ...compiled.spec, buffers, reports: [] };
  const run = (store: Store): Numbers[] => {
    roots.forEach((root, i) => {
      store.declare(keys[i], root.type);
    });
    const program = new Program({ ...compiled, spec }, store);
    for (const { key, size } of graph.buffers) {
      const data = contentsOf(c, key, size);
      if (data !== undefined) store.write(key, data);
    }
    program.runSync(c.moments ?? [MOMENT]);
    return keys.map((key) => store.read(key));
  };
  return {
    case: c,
    isGradient: false,
    spec,
    compiled: { ...compiled, spec },
    outputs: compiled.spec.reports,
    run,
  };
}

/** What a stored buffer holds before a run; none where that is zeros. */
export function contentsOf(c: Case, key: string, size: number): Numbers | undefined {
  const [kind, index] = key.split('.');
  if (kind === 'in') return c.inputs[Number(index)].data;
  if (kind === 'weights') return weightsOf(Number(index), size);
  return kind === 'along' ? alongOf(Number(index), size) : undefined;
}

function withoutAliases(value: Value): Value {
  let root = value;
  while (root.node?.op.alias) root = root.node.inputs[0];
  return root;
}

/** The same program with an output in its input's memory, where the op allows it and the case has it. */
export function inPlace(traced: Traced): Traced | undefined {
  const { spec, case: c } = traced;
  if (spec.instructions.length !== 1) return undefined;
  const [{ op, inputs, outputs }] = spec.instructions;
  for (const [from, to] of findOp(op).inPlace ?? []) {
    const input = spec.buffers[inputs[from]];
    const output = spec.buffers[outputs[to]];
    const size = (b: BufferSpec) => b.shape.reduce((n, d) => n * d, 1);
    if (inputs.filter((id) => id === inputs[from]).length > 1) continue;
    if (input.dtype !== output.dtype || size(input) !== size(output)) continue;
    const { place } = input;
    if (place.kind !== 'store') continue;
    const buffers = spec.buffers.map((b, id) => (id === outputs[to] ? { ...b, place } : b));
    const moved = { ...spec, buffers };
    return {
      ...traced,
      spec: moved,
      run: (store) => {
        const results = traced.run(store);
        c.inputs.forEach(({ data }, i) => {
          store.write(`in.${i}`, data);
        });
        store.load(moved).runSync(rowsOf(moved, c.moments ?? [MOMENT]));
        return results.map((result, i) => (i === to ? store.read(place.key) : result));
      },
    };
  }
  return undefined;
}

/** Parameter rows of a program whose only slots are the step and the seed. */
const rowsOf = (spec: ProgramSpec, moments: readonly Moment[]): Float64Array =>
  Float64Array.from(
    moments.flatMap((m) => spec.slots.map((slot) => (slot === 'seed' ? m.seed : m.step))),
  );

/** The numbers in a buffer. */
const doubles = (data: Numbers): Float64Array =>
  data instanceof Uint16Array ? Float64Array.from(data, fromBits) : Float64Array.from(data);

/** What the oracle says. */
export const expected = (c: Case): Float64Array[] =>
  c
    .oracle(
      c.inputs.map(({ data }) => doubles(data)),
      c.moments ?? [MOMENT],
    )
    .map((y) => Float64Array.from(y));

/** The TypeScript kernels in doubles. */
export const inDoubles = (traced: Traced): Float64Array[] =>
  traced.run(new JsStore({ float64: true })).map(doubles);

/** The distance of two bfloat16 numbers, relative. */
const BF16_UNIT = 2 ** -7;

export interface Mismatch {
  readonly output: number;
  readonly index: number;
  readonly got: number;
  readonly want: number;
}

/** The worst |got − want| / (abs + rel · |want|) and where; NaN and ±∞ must stand where they should. */
export function compare(
  got: readonly Numbers[],
  want: readonly Float64Array[],
  { rel = 1e-6, abs = 3e-45 }: Tolerance = {},
): { worst: number; at: Mismatch | undefined } {
  let worst = 0;
  let at: Mismatch | undefined;
  want.forEach((w, output) => {
    const kept = got[output];
    if (kept === undefined || kept.length !== w.length) {
      throw new Error(
        `output ${output} has ${kept?.length} elements, the oracle gives ${w.length}`,
      );
    }
    const isBf16 = kept instanceof Uint16Array;
    const g = isBf16 ? Float32Array.from(kept, fromBits) : kept;
    const relative = isBf16 && rel > 0 ? Math.max(rel, BF16_UNIT) : rel;
    for (let index = 0; index < w.length; index++) {
      const error = errorOf(g, index, w[index], relative, abs);
      if (!(error <= worst)) {
        worst = error;
        at = { output, index, got: g[index], want: w[index] };
      }
    }
  });
  return { worst, at };
}

function errorOf(g: Numbers, index: number, exact: number, rel: number, abs: number): number {
  const want =
    g instanceof Float32Array && !Number.isFinite(Math.fround(exact)) ? Math.fround(exact) : exact;
  const got = g[index];
  if (Object.is(got, want) || got === want) return 0;
  if (!Number.isFinite(got) || !Number.isFinite(want)) return Infinity;
  return Math.abs(got - want) / (abs + rel * Math.abs(want));
}
