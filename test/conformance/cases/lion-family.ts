/** Updates with a direction other than the sign: by its whole tensor, by all of them, or by the element alone. */
import { enimOp } from '../../../src/ops/enim.ts';
import {
  type ElementwiseK,
  kindOf,
  lionKOp,
  lionLargestOp,
  lionLpOp,
} from '../../../src/ops/lion_k.ts';
import { NORMS, type Norm, normDescentOp } from '../../../src/ops/norm_descent.ts';
import { STREAM } from '../../../src/random/philox.ts';
import { normal } from '../../random/normal.ts';
import { f32, i32, random } from '../data.ts';
import type { Case } from '../harness.ts';
import { elementwise, updateCases } from './updates.ts';

const LION = { beta1: 0.9, beta2: 0.99, weightDecay: 0.1 };

/** u for each tensor's c, then Lion's step with it. */
const lionStep =
  (directions: (cs: Float64Array[], step: number) => Float64Array[]) =>
  (tensors: readonly Float64Array[][], lr: number, { step }: { step: number }): void => {
    const cs = tensors.map(([, g, m]) => m.map((v, i) => 0.9 * v + 0.1 * g[i]));
    directions(cs, step).forEach((u, t) => {
      const [p, g, m] = tensors[t];
      p.forEach((v, i) => {
        p[i] = v * (1 - lr * 0.1) - lr * u[i];
        m[i] += 0.01 * (g[i] - m[i]);
      });
    });
  };

const elementwiseK = (kind: ElementwiseK, e: number, gradient: (c: number) => number): Case[] =>
  updateCases({
    op: 'lionK',
    name: `${kind} ${e}`,
    state: 1,
    trace: (graph, inputs, lrSlot) =>
      graph.add(lionKOp, inputs, { ...LION, lrSlot, kind: kindOf(kind), e }),
    rule: elementwise((p, g, state, lr) => {
      const u = gradient(0.9 * state[0] + 0.1 * g);
      state[0] += 0.01 * (g - state[0]);
      return p * (1 - lr * 0.1) - lr * u;
    }),
  });

/** sign(c)│c│^(p−1) / ‖c‖ₚ^(p−1), 0 of 0. */
const lp = (p: number): Case[] =>
  updateCases({
    op: 'lionLp',
    name: `p = ${p}`,
    state: 1,
    trace: (graph, inputs, lrSlot) => graph.add(lionLpOp, inputs, { ...LION, lrSlot, p }),
    rule: lionStep((cs) =>
      cs.map((c) => {
        const max = c.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
        const norm = max * c.reduce((sum, v) => sum + (Math.abs(v) / max) ** p, 0) ** (1 / p);
        return c.map((v) => Math.sign(v) * (Math.abs(v) / norm) ** (p - 1));
      }),
    ),
  });

/** The elements in order of falling │c│, then of index; the sign on the first k. */
function signOfLargest(c: Float64Array, k: number): Float64Array {
  const size = (i: number) => (Number.isNaN(c[i]) ? Infinity : Math.abs(c[i]));
  const order = [...c.keys()].sort((a, b) =>
    size(a) === size(b) ? a - b : size(a) > size(b) ? -1 : 1,
  );
  const u = new Float64Array(c.length);
  for (const i of order.slice(0, k)) u[i] = Math.sign(c[i]);
  return u;
}

const largest = (k: number): Case[] =>
  updateCases({
    op: 'lionLargest',
    name: `k = ${k}`,
    state: 1,
    trace: (graph, inputs, lrSlot) => graph.add(lionLargestOp, inputs, { ...LION, lrSlot, k }),
    rule: lionStep((cs) => cs.map((c) => signOfLargest(c, k))),
  });

/** Gradients of few sizes in several chunks: nearly all elements are ties. */
const ties = (k: number): Case => ({
  op: 'lionLargest',
  name: `ties, k = ${k}`,
  inputs: [
    i32([8], [0, 0, 0, 0, 0, 0, 0, 0]),
    ...[40000, 7].flatMap((n) => [
      f32([n], new Float32Array(n)),
      f32([n], random(n, { seed: 5, low: -3, high: 3 }).map(Math.trunc)),
      f32([n], new Float32Array(n)),
    ]),
  ],
  build: (inputs, graph) => {
    const lrSlot = graph.slot('lr', () => 0.5).index;
    graph.add(lionLargestOp, inputs, { ...LION, lrSlot, k });
    return [inputs[1], inputs[4]];
  },
  oracle: (inputs) =>
    [2, 5].map((g) => signOfLargest(inputs[g], k).map((u) => (u === 0 ? 0 : -0.5 * u))),
  tolerance: { rel: 0 },
});

const enim = (angle: number, global: number): Case[] =>
  updateCases({
    op: 'enim',
    name: `angle ${angle}, global ${global}`,
    state: 1,
    trace: (graph, inputs, lrSlot) =>
      graph.add(enimOp, inputs, {
        ...LION,
        lrSlot,
        seedSlot: graph.seed.index,
        stepSlot: graph.step.index,
        stream: STREAM.enim,
        tensors: inputs.slice(1).flatMap((_, i) => (i % 3 === 0 ? [7 + i / 3] : [])),
        angle,
        global,
      }),
    rule: lionStep((cs, step) => {
      const zs = cs.map((c, t) =>
        c.map((_, i) => normal({ seed: 0, stream: STREAM.enim + 7 + t, step }, i)),
      );
      if (!global) return cs.map((c, t) => rotate(c, zs[t], angle));
      const all = rotate(join(cs), join(zs), angle);
      let at = 0;
      return cs.map(({ length }) => {
        at += length;
        return all.slice(at - length, at);
      });
    }),
  });

const join = (parts: Float64Array[]): Float64Array =>
  Float64Array.from(parts.flatMap((part) => [...part]));
const dot = (a: Float64Array, b: Float64Array): number =>
  a.reduce((sum, v, i) => sum + v * b[i], 0);

function rotate(c: Float64Array, z: Float64Array, angle: number): Float64Array {
  const norm = Math.sqrt(dot(c, c));
  const d = c.map((v) => v / norm);
  if (c.length === 1) return d;
  const along = dot(z, d);
  const r = z.map((v, i) => v - along * d[i]);
  const length = Math.sqrt(dot(r, r));
  const root = Math.sqrt(c.length);
  return d.map((v, i) => root * (Math.cos(angle) * v + (Math.sin(angle) * r[i]) / length));
}

const normDescent = (norm: Norm, momentum: number, dual: number): Case[] =>
  updateCases({
    op: 'normDescent',
    name: `${norm}, momentum ${momentum}, dual ${dual}`,
    state: momentum === 0 ? 0 : 1,
    trace: (graph, inputs, lrSlot) =>
      graph.add(normDescentOp, inputs, {
        lrSlot,
        momentum,
        weightDecay: 0.1,
        norm: NORMS.indexOf(norm),
        dual,
      }),
    rule: (tensors, lr) => {
      for (const [p, g, state] of tensors) {
        const m = state ?? g;
        if (state !== undefined)
          state.forEach((v, i) => {
            state[i] = momentum * v + (1 - momentum) * g[i];
          });
        const u = steepest(norm, m, dual !== 0);
        p.forEach((v, i) => {
          p[i] = v * (1 - lr * 0.1) - lr * u[i];
        });
      }
    },
  });

/** −LMO(m), times the dual norm of m if asked. */
function steepest(norm: Norm, m: Float64Array, dual: boolean): Float64Array {
  if (norm === 'l2') {
    const length = dual ? 1 : Math.sqrt(dot(m, m));
    return m.map((v) => v / length);
  }
  if (norm === 'linf') {
    const sum = m.reduce((total, v) => total + Math.abs(v), 0);
    return m.map((v) => Math.sign(v) * (dual ? sum : 1));
  }
  const u = signOfLargest(m, 1);
  return dual ? u.map((v, i) => (v === 0 ? 0 : m[i])) : u;
}

export const cases: Case[] = [
  ...elementwiseK('l1', 0, Math.sign),
  ...elementwiseK('deadZone', 0.08, (c) => (Math.abs(c) <= 0.08 ? 0 : Math.sign(c))),
  ...elementwiseK('huber', 0.1, (c) => Math.max(-1, Math.min(1, c / 0.1))),
  ...elementwiseK('smooth', 0.1, (c) => Math.sin(Math.atan(c / 0.1))),
  ...elementwiseK('squared', 0, (c) => c),
  ...[1, 1.5, 2, 4].flatMap(lp),
  ...[1, 3, 1000].flatMap(largest),
  ...[1, 9000, 20000, 30000].map(ties),
  ...enim(0.7, 0),
  ...enim(0.7, 1),
  ...enim(Math.PI / 2, 0),
  ...NORMS.flatMap((norm) => [normDescent(norm, 0, 0), normDescent(norm, 0.9, 1)].flat()),
];
