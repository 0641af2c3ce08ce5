/** Eigenbases have no signs of their own, so the cases look at what they do to a gradient. */
import { inEigenbasis, kfacEigen } from '../../../src/ops/kfac_eigen.ts';
import { inverse, type Rows } from '../../optim/oracles/matrix.ts';
import { f32, i32, packed, positive, random, unpacked } from '../data.ts';
import { type Case, MOMENT } from '../harness.ts';

const STEP = 41;
const GOING = [0, 0, 0, 0, 0, 0, 0, 0];
const OPERANDS = 6;

interface Layer {
  readonly a: Float32Array;
  readonly g: Float32Array;
  readonly tensor?: number;
}

const stored = (matrix: Float32Array) => f32([packed(matrix).length], packed(matrix));

/** xxᵀ, of rank one to the last bit. */
const single = (n: number, seed: number): Float32Array => {
  const x = random(n, { seed, low: 32, high: 64 }).map((v) => Math.round(v) / 64);
  return Float32Array.from({ length: n * n }, (_, k) => x[Math.floor(k / n)] * x[k % n]);
};

const order = (matrix: Float32Array): number => Math.sqrt(matrix.length);

/** (A ⊗ G + λI)⁻¹ V by solving for all of V at once. */
function solve(a: ArrayLike<number>, g: ArrayLike<number>, v: ArrayLike<number>, damping: number) {
  const [n, m] = [Math.sqrt(a.length), Math.sqrt(g.length)];
  const whole: Rows = Array.from({ length: m * n }, (_, r) =>
    Array.from({ length: m * n }, (_, c) => {
      const [o, i, p, j] = [Math.floor(r / n), r % n, Math.floor(c / n), c % n];
      return g[o * m + p] * a[i * n + j] + (r === c ? damping : 0);
    }),
  );
  return inverse(whole).map((row) => row.reduce((sum, x, k) => sum + x * v[k], 0));
}

function eigen(
  name: string,
  layers: readonly Layer[],
  {
    damping = 0.01,
    failures = Array<number>(10).fill(0),
    after = failures.map(() => 0),
    status = GOING,
    statusAfter = status,
    updates = 1,
    kept = layers.map(() => updates === 0),
  }: {
    damping?: number;
    failures?: readonly number[];
    /** The counters after it. */
    after?: readonly number[];
    status?: readonly number[];
    statusAfter?: readonly number[];
    updates?: number;
    /** Layers whose last bases stay: those of U = 2V. */
    kept?: readonly boolean[];
  } = {},
): Case {
  const unit = (n: number) =>
    f32(
      [n, n],
      Float32Array.from({ length: n * n }, (_, k) => (k % (n + 1) === 0 ? 1 : 0)),
    );
  return {
    op: 'kfacEigen',
    name,
    inputs: [
      i32([8], status),
      i32([failures.length], failures),
      i32([1], [updates]),
      f32([], [damping]),
      ...layers.flatMap(({ a, g }, i) => {
        const [n, m] = [order(a), order(g)];
        const last = f32([m, n], new Float32Array(m * n).fill(2));
        const v = f32([m, n], random(m * n, { seed: 90 + i, low: -1, high: 1 }));
        return [stored(a), stored(g), unit(n), unit(m), last, v];
      }),
    ],
    build: ([block, failures, updates, lambda, ...given]) => {
      const traced = layers.map(({ tensor = 0 }, i) => {
        const [a, g, aBasis, gBasis, scale, v] = given.slice(OPERANDS * i, OPERANDS * (i + 1));
        const pairs = {
          a: [{ factor: a, result: aBasis }],
          g: [{ factor: g, result: gBasis }],
        };
        return { ...pairs, scale, tensor, v, aBases: [aBasis], gBases: [gBasis] };
      });
      kfacEigen(block, { failures, updates }, traced, lambda);
      return [block, failures, ...traced.map((layer) => inEigenbasis(layer.v, layer))];
    },
    oracle: ([, , , [lambda], ...given]) => [
      [...statusAfter],
      [...after],
      ...layers.map((_, i) => {
        const [a, g, , , , v] = given.slice(OPERANDS * i, OPERANDS * (i + 1));
        if (kept[i]) return Float64Array.from(v, (x) => 2 * x);
        return solve(unpacked(a), unpacked(g), v, lambda);
      }),
    ],
    moments: [{ ...MOMENT, step: STEP }],
    // Float32 bases move U by 1e-7 of its norm, times the scales' spread of at most 1e3.
    tolerance: { rel: 2e-5, abs: 2e-4 },
  };
}

const layers: Layer[] = [
  [1, 1],
  [2, 5],
  [17, 8],
  [9, 16],
  [33, 3],
].map(([n, m], i) => ({ a: positive(n, 50 + i, 10), g: positive(m, 60 + i, 0.1), tensor: 2 * i }));
const fine: Layer = { a: positive(4, 70), g: positive(3, 71), tensor: 1 };
const singular: Layer = { a: single(4, 72), g: single(3, 73), tensor: 4 };
const broken: Layer = { a: positive(4, 70), g: new Float32Array(9).fill(NaN), tensor: 6 };
const COUNTS = [1, 2, 3, 4, 5, 1, 2, 3, 4];
const still = { kept: layers.map(() => true), failures: COUNTS, after: COUNTS };

/** Ten counters, the one of `tensor` at 1. */
const counted = (tensor: number) => Array.from({ length: 10 }, (_, i) => Number(i === tensor));

/** A vector A stands for the matrix that has it as its diagonal. */
function diagonalA(name: string, a: readonly number[], g: Float32Array, damping = 0.01): Case {
  const [n, m] = [a.length, order(g)];
  const good = a.every(Number.isFinite);
  return {
    op: 'kfacEigen',
    name,
    inputs: [
      i32([8], GOING),
      i32([1], [0]),
      i32([1], [4]),
      f32([], [damping]),
      f32([n], a),
      stored(g),
      f32([m, m], new Float32Array(m * m)),
      f32([m, n], new Float32Array(m * n)),
      f32([n, m], random(n * m, { seed: 90, low: -1, high: 1 })),
    ],
    build: ([block, failures, updates, lambda, a, g, gBasis, scale, v]) => {
      const pairs = { a: [{ factor: a, result: a }], g: [{ factor: g, result: gBasis }] };
      kfacEigen(block, { failures, updates }, [{ ...pairs, scale, tensor: 0 }], lambda);
      return [block, failures, inEigenbasis(v, { aBases: undefined, gBases: [gBasis], scale })];
    },
    oracle: ([, , , [lambda], a, g, , , v]) => {
      if (!good) return [[3, 0, 0, STEP, 0, 1, 0, 0], [1], new Float64Array(n * m)];
      const whole = Array.from({ length: n * n }, (_, k) => (k % (n + 1) === 0 ? a[k % n] : 0));
      const transposed = Array.from(v, (_, k) => v[(k % n) * m + Math.floor(k / n)]);
      const u = solve(whole, unpacked(g), transposed, lambda);
      return [GOING, [0], u.map((_, k) => u[(k % m) * n + Math.floor(k / m)])];
    },
    moments: [{ ...MOMENT, step: STEP }],
    tolerance: { rel: 2e-5, abs: 2e-4 },
  };
}

/** The matrix with these on its diagonal and nothing else. */
function joined(blocks: readonly Float32Array[]): Float32Array {
  const n = blocks.reduce((sum, block) => sum + order(block), 0);
  const whole = new Float32Array(n * n);
  let begin = 0;
  for (const block of blocks) {
    const size = order(block);
    block.forEach((x, k) => {
      whole[(begin + Math.floor(k / size)) * n + begin + (k % size)] = x;
    });
    begin += size;
  }
  return whole;
}

/** Factors of several blocks; with `tokens` A is the diagonal of itself. */
function inBlocks(
  name: string,
  a: readonly Float32Array[],
  g: readonly Float32Array[],
  { tokens = false, bad = false } = {},
): Case {
  const diagonal = joined(a).filter((_, k) => k % (order(joined(a)) + 1) === 0);
  const [n, m] = [order(joined(a)), order(joined(g))];
  const ofA = tokens ? [f32([n], diagonal)] : a.map(stored);
  const bases = [...(tokens ? [] : a), ...g].map((block) =>
    f32([order(block), order(block)], new Float32Array(block.length)),
  );
  return {
    op: 'kfacEigen',
    name,
    inputs: [
      i32([8], GOING),
      i32([1], [0]),
      i32([1], [-2]),
      f32([], [0.01]),
      f32([m, n], new Float32Array(m * n)),
      f32(tokens ? [n, m] : [m, n], random(n * m, { seed: 91, low: -1, high: 1 })),
      ...ofA,
      ...g.map(stored),
      ...bases,
    ],
    build: ([block, failures, updates, lambda, scale, v, ...given]) => {
      const factors = given.slice(0, ofA.length + g.length);
      const results = [...(tokens ? [factors[0]] : []), ...given.slice(factors.length)];
      const pairs = factors.map((factor, i) => ({ factor, result: results[i] }));
      const layer = { a: pairs.slice(0, ofA.length), g: pairs.slice(ofA.length), scale, tensor: 0 };
      kfacEigen(block, { failures, updates }, [layer], lambda);
      const bases = {
        aBases: tokens ? undefined : layer.a.map(({ result }) => result),
        gBases: layer.g.map(({ result }) => result),
      };
      return [block, failures, inEigenbasis(v, { ...bases, scale })];
    },
    oracle: ([, , , [lambda], , v]) => {
      if (bad) return [[3, 0, 0, STEP, 0, 1, 0, 0], [1], new Float64Array(n * m)];
      const wholeA = tokens ? joined([...diagonal].map((x) => Float32Array.of(x))) : joined(a);
      const turned = tokens ? Array.from(v, (_, k) => v[(k % n) * m + Math.floor(k / n)]) : v;
      const u = solve(wholeA, joined(g), turned, lambda);
      return [GOING, [0], tokens ? u.map((_, k) => u[(k % m) * n + Math.floor(k / m)]) : u];
    },
    moments: [{ ...MOMENT, step: STEP }],
    tolerance: { rel: 2e-5, abs: 2e-4 },
  };
}

const BLOCKS = {
  a: [positive(4, 85, 10), positive(7, 86), positive(1, 87)],
  g: [positive(3, 88, 0.1), positive(2, 89)],
};

export const cases: Case[] = [
  inBlocks('blocks', BLOCKS.a, BLOCKS.g),
  inBlocks('blocks of A alone', BLOCKS.a, [positive(9, 89)]),
  inBlocks('blocks of G beside a diagonal', BLOCKS.a, BLOCKS.g, { tokens: true }),
  inBlocks('a block with a NaN', [...BLOCKS.a, Float32Array.of(NaN)], BLOCKS.g, { bad: true }),
  diagonalA('a diagonal of one', [0.7], positive(1, 80)),
  diagonalA('a diagonal with zeros', [0.5, 0, 0.125, 0.375, 0], positive(3, 81)),
  diagonalA('a diagonal with a NaN', [0.5, NaN], positive(3, 82)),
  diagonalA('a long diagonal', [...random(40, { seed: 83, low: 0, high: 1 })], positive(9, 84)),
  eigen('every size', layers),
  eigen('before the first update', layers, { updates: 0 }),
  eigen('no layer', []),
  eigen('a layer without outputs', [{ a: positive(3, 74), g: new Float32Array(0) }]),
  eigen('factors of rank one', [singular], { damping: 0.1 }),
  eigen('no input and no gradient', [
    { a: new Float32Array(9), g: positive(2, 75) },
    { a: positive(3, 76), g: new Float32Array(4) },
  ]),
  eigen('a good one after failures', [fine], { failures: [1, 2], after: [1, 0] }),
  eigen('a scale beyond float32', [fine, { a: new Float32Array(9), g: singular.g }], {
    damping: 1e-40,
    after: counted(0),
    kept: [false, true],
    statusAfter: [0, 0, 0, 0, 0, 1, 0, 0],
  }),
  eigen('the third failure in a row', [{ ...singular, a: new Float32Array(9) }, fine], {
    damping: 1e-40,
    failures: [0, 1, 0, 0, 2],
    after: [0, 0, 0, 0, 3],
    kept: [true, false],
    statusAfter: [2, 0, 4, STEP, 0, 1, 0, 0],
  }),
  eigen('a NaN', [fine, broken], {
    after: counted(6),
    kept: [false, true],
    statusAfter: [3, 0, 6, STEP, 0, 1, 0, 0],
  }),
  eigen('stopped', layers, { ...still, status: [1, 0, 4, 9, 0, 0, 0, 0] }),
  eigen('a skipped step', layers, { ...still, status: [0, 1, 4, 9, 2, 0, 0, 0] }),
];
