/** Ops on whole models: fill, assign, keep, checkFinite, directions, and SAM's norm and perturbation. */

import { assign, keep } from '../../../src/ops/assign.ts';
import { fill } from '../../../src/ops/fill.ts';
import { lpDirection } from '../../../src/ops/lp_direction.ts';
import { reshape } from '../../../src/ops/reshape.ts';
import { globalNorm, samPerturb } from '../../../src/ops/sam.ts';
import { checkFinite, LARGEST } from '../../../src/ops/status.ts';
import { CHUNK, f32, i32, random, SIZES } from '../data.ts';
import type { Case, Tensor } from '../harness.ts';

const fills = SIZES.map(
  (n): Case => ({
    op: 'fill',
    name: `[${n}]`,
    inputs: [],
    build: (_, graph) => [fill(graph, [n], 0.1)],
    oracle: () => [Array(n).fill(0.1)],
  }),
);

const tensors = (sizes: readonly number[], seed: number): Tensor[] =>
  sizes.map((n, t) => f32([n], random(n, { seed: seed + t })));

const length = (xs: readonly Float64Array[]): number => Math.hypot(...xs.map((x) => norm(x)));
const norm = (x: Float64Array): number => Math.sqrt(x.reduce((s, v) => s + v * v, 0));

const norms = [[], [0], [1], [3, 4, 5], SIZES].map(
  (sizes): Case => ({
    op: 'globalNorm',
    name: `of ${sizes.length} tensors, ${sizes}`,
    inputs: [f32([2], [0.5, -3]), ...tensors(sizes, 40)],
    build: (xs) => [globalNorm(xs)],
    oracle: (xs) => [[length(xs)]],
  }),
);

const extreme = (values: readonly number[]): Case => ({
  op: 'globalNorm',
  name: `of ${values}`,
  inputs: [f32([values.length], values)],
  build: ([x]) => [globalNorm([x])],
  oracle: (xs) => [[length(xs)]],
});

/** θ and g alternate after the norm. */
function perturbation(name: string, sizes: readonly number[], scale: number, rho: number): Case {
  const n = sizes.length;
  return {
    op: 'samPerturb',
    name,
    inputs: [
      ...tensors(sizes, 50),
      ...tensors(sizes, 60).map((t) =>
        f32(
          t.shape,
          Float32Array.from(t.data, (v) => v * scale),
        ),
      ),
    ],
    build: (xs) => {
      const params = xs.slice(0, n);
      const saved = samPerturb(params, xs.slice(n), globalNorm(xs.slice(n)), rho);
      return [...params, ...saved];
    },
    oracle: (xs) => {
      const params = xs.slice(0, n);
      const grads = xs.slice(n);
      const total = length(grads);
      const factor = total === 0 ? 0 : rho / total;
      return [...params.map((p, t) => p.map((v, i) => v + factor * grads[t][i])), ...params];
    },
    tolerance: { rel: 1e-6, abs: 1e-7 },
  };
}

const assigned = [[1], SIZES].map(
  (sizes): Case => ({
    op: 'assign',
    name: `${sizes.length} tensors, NaN included`,
    inputs: [
      ...tensors(sizes, 70),
      ...tensors(sizes, 80).map((t, k) => {
        if (k % 2 === 0 && t.data.length > 0) t.data[0] = NaN;
        return t;
      }),
    ],
    build: (xs) => {
      const params = xs.slice(0, sizes.length);
      assign(params, xs.slice(sizes.length));
      return params;
    },
    oracle: (xs) => xs.slice(sizes.length),
    tolerance: { rel: 0, abs: 0 },
  }),
);

const KEPT = [0, 1, 17, CHUNK + 3];

const kept = (name: string, status: readonly number[], taken: boolean): Case => ({
  op: 'keep',
  name,
  inputs: [i32([8], status), ...tensors(KEPT, 110), ...tensors(KEPT, 120)],
  build: ([block, ...xs]) => {
    const states = xs.slice(0, KEPT.length);
    keep(block, states, xs.slice(KEPT.length));
    return states;
  },
  oracle: ([, ...xs]) => (taken ? xs.slice(KEPT.length) : xs.slice(0, KEPT.length)),
  tolerance: { rel: 0, abs: 0 },
});

/** Slopes of ‖·‖_q at g, by the definition of the norm. */
function slopes(xs: readonly Float64Array[], p: number): Float64Array[] {
  const q = p === Infinity ? 1 : p / (p - 1);
  const top = Math.max(0, ...xs.map((x) => x.reduce((m, v) => Math.max(m, Math.abs(v)), 0)));
  if (top === 0) return xs.map((x) => x.map(() => 0));
  if (p === 1) {
    const tensor = xs.findIndex((x) => x.some((v) => Math.abs(v) === top));
    const index = xs[tensor].findIndex((v) => Math.abs(v) === top);
    return xs.map((x, t) => x.map((v, i) => (t === tensor && i === index ? Math.sign(v) : 0)));
  }
  const total = xs.reduce((s, x) => x.reduce((r, v) => r + (Math.abs(v) / top) ** q, s), 0);
  const long = top * total ** (1 / q);
  return xs.map((x) => x.map((v) => Math.sign(v) * (Math.abs(v) / long) ** (q - 1)));
}

const direction = (name: string, p: number, inputs: readonly Tensor[]): Case => ({
  op: 'lpDirection',
  name: `p = ${p}, ${name}`,
  inputs,
  build: (xs) => lpDirection(xs, p),
  oracle: (xs) => slopes(xs, p),
  tolerance: { rel: 1e-6, abs: 1e-44 },
});

const directions = [1, 1.05, 1.5, 2, 3, 100, Infinity].flatMap((p) => [
  direction('every size', p, tensors(SIZES, 130)),
  direction('zeros', p, [f32([3], [0, -0, 0]), f32([0], [])]),
  direction('one element', p, [f32([], [-1e-30])]),
  direction('equals', p, [f32([2], [1, -3]), f32([3], [3, 0, -3])]),
  direction('of 1e38', p, [f32([4], [3e38, -3e38, 1e38, 1])]),
]);

const FINITE = tensors([0, 1, 17, 2 * CHUNK + 5], 90);

/** Of the elements of each tensor. */
const LIMITS = [1, 2 ** 63, LARGEST, 2 ** 100];

function finiteness(
  name: string,
  policy: 'throw' | 'skip',
  before: readonly number[],
  bad: readonly (readonly [tensor: number, index: number, value: number])[],
  after: readonly number[],
  { losses = 0 } = {},
): Case {
  const data = FINITE.map((t) => f32(t.shape, t.data));
  for (const [tensor, index, value] of bad) data[tensor].data[index] = value;
  return {
    op: 'checkFinite',
    name,
    inputs: [i32([8], before), ...data],
    build: ([status, ...xs]) => {
      const count = xs.length - losses;
      const given = { grads: xs.slice(0, count), limits: LIMITS.slice(0, count) };
      checkFinite(status, { ...given, losses: xs.slice(count) }, policy);
      return [status];
    },
    oracle: () => [after],
    moments: [{ step: 41, epoch: 0, seed: 0, offset: 0 }],
    tolerance: { rel: 0 },
  };
}

const ZERO = [0, 0, 0, 0, 0, 0, 0, 0];
const LAST = 2 * CHUNK + 4;

export const cases: Case[] = [
  ...fills,
  {
    op: 'reshape',
    name: 'keeps the elements',
    inputs: [f32([2, 6], random(12))],
    build: ([x]) => [reshape(x, [3, -1])],
    oracle: ([x]) => [x],
    gradient: [0],
  },
  ...norms,
  extreme([1e30, -1e30]),
  extreme([1e-30, 0]),
  extreme([1, NaN]),
  extreme([1, -Infinity]),
  perturbation('every size', SIZES.slice(1), 1, 0.05),
  perturbation('a gradient of zeros', [1, 5], 0, 0.05),
  perturbation('a NaN gradient', [5], NaN, 0.05),
  ...assigned,
  kept('a step', [0, 0, 0, 0, 0, 0, 0, 0], true),
  kept('stopped', [1, 0, 0, 0, 0, 0, 0, 0], false),
  kept('skipped', [0, 1, 0, 0, 1, 0, 0, 0], false),
  ...directions,
  {
    ...direction('NaN', 3, [f32([2], [1, NaN])]),
    oracle: () => [[NaN, NaN]],
  },
  {
    ...direction('NaN', 1, [f32([4], [1, NaN, 5, NaN])]),
    oracle: () => [[0, NaN, 0, 0]],
  },
  finiteness('all finite', 'throw', ZERO, [], ZERO),
  finiteness('the largest float is finite', 'throw', ZERO, [[2, 3, 3.4028235e38]], ZERO),
  finiteness('NaN at the end', 'throw', ZERO, [[3, LAST, NaN]], [1, 0, 3, 41, 0, 0, 0, 0]),
  finiteness('the limit itself', 'throw', ZERO, [[1, 0, -(2 ** 63)]], ZERO),
  finiteness(
    'beyond the limit',
    'throw',
    ZERO,
    [[1, 0, -1.5 * 2 ** 63]],
    [4, 0, 1, 41, 0, 0, 0, 0],
  ),
  finiteness('beyond the limit, skipping', 'skip', ZERO, [[3, 0, 2e30]], [0, 1, 3, 41, 1, 0, 0, 0]),
  finiteness(
    'not finite and beyond the limit',
    'throw',
    ZERO,
    [
      [3, 0, 2e30],
      [3, LAST, NaN],
    ],
    [1, 0, 3, 41, 0, 0, 0, 0],
  ),
  finiteness('a large loss', 'throw', ZERO, [[3, 9, 3e38]], ZERO, { losses: 1 }),
  finiteness('an infinite loss', 'throw', ZERO, [[3, 9, Infinity]], [5, 0, 3, 41, 0, 0, 0, 0], {
    losses: 1,
  }),
  finiteness('infinity, skipping', 'skip', ZERO, [[2, 16, -Infinity]], [0, 1, 2, 41, 1, 0, 0, 0]),
  finiteness(
    'the first tensor is named',
    'throw',
    ZERO,
    [
      [3, 9, NaN],
      [1, 0, Infinity],
      [3, LAST, NaN],
    ],
    [1, 0, 1, 41, 0, 0, 0, 0],
  ),
  finiteness(
    'a skip ends with its step',
    'skip',
    [0, 1, 2, 3, 4, 5, 0, 0],
    [],
    [0, 0, 2, 3, 4, 5, 0, 0],
  ),
  finiteness(
    'a stop stays',
    'throw',
    [1, 0, 2, 3, 0, 0, 0, 0],
    [[1, 0, NaN]],
    [1, 0, 2, 3, 0, 0, 0, 0],
  ),
];
