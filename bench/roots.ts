/** Matrix roots and inverses, timed, and how true they are. */
import type { Value } from '#flatmin/graph/graph';
import type { Numbers } from '#flatmin/graph/kernel';
import { forLower, packedSize, unpack } from '#flatmin/linalg/packed';
import { inverseRoots, kfacInverses } from '#flatmin/ops/roots';
import type { Kernel } from './kernels.ts';
import { type Inputs, noise } from './program.ts';

/** LeNet-5's weights as matrices [out, in]; every layer has a bias [out] besides. */
const LAYERS = [
  [6, 25],
  [16, 150],
  [120, 400],
  [84, 120],
  [10, 84],
];

/** X Xᵀ / 2n + 10⁻⁴ I for n × 2n noise X, packed. */
function definite(n: number): Float32Array {
  const x = noise(2 * n * n);
  const a = new Float32Array(packedSize(n));
  forLower(n, (at, i, j) => {
    let sum = 0;
    for (let k = 0; k < 2 * n; k++) sum += x[i * 2 * n + k] * x[j * 2 * n + k];
    a[at] = sum / (2 * n) + (i === j ? 1e-4 : 0);
  });
  return a;
}

/** Q diag(1 … 1 / condition) Qᵀ, the eigenvalues a geometric series, Q of two reflections at noise; packed. */
function conditioned(n: number, condition: number): Float32Array {
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) a[i * n + i] = condition ** (-i / (n - 1));
  const vectors = noise(2 * n);
  for (const v of [vectors.subarray(0, n), vectors.subarray(n)]) reflect(a, v);
  const packed = new Float32Array(packedSize(n));
  forLower(n, (at, i, j) => {
    packed[at] = a[i * n + j];
  });
  return packed;
}

/** A ← H A H, H = I − 2 v vᵀ / vᵀv: A − v wᵀ − w vᵀ with w = 2 A v / vᵀv − 2 (vᵀA v) v / (vᵀv)². */
function reflect(a: Float64Array, v: Float32Array): void {
  const n = v.length;
  const square = v.reduce((sum, x) => sum + x * x, 0);
  const product = Float64Array.from(v, (_, i) =>
    v.reduce((sum, x, j) => sum + a[i * n + j] * x, 0),
  );
  const form = v.reduce((sum, x, i) => sum + x * product[i], 0);
  const w = product.map((x, i) => (2 * (x - (form * v[i]) / square)) / square);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) a[i * n + j] -= v[i] * w[j] + w[i] * v[j];
}

/** max │A X⁴ − I│ in float64. */
function residual(packed: Float32Array, x: Numbers, n: number): number {
  const root = Float64Array.from(x);
  const square = multiply(root, root, n);
  const product = multiply(unpack(packed, n), multiply(square, square, n), n);
  return product.reduce(
    (most, y, at) => Math.max(most, Math.abs(y - (at % (n + 1) === 0 ? 1 : 0))),
    0,
  );
}

function multiply(a: Float64Array, b: Float64Array, n: number): Float64Array {
  const c = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let k = 0; k < n; k++)
      for (let j = 0; j < n; j++) c[i * n + j] += a[i * n + k] * b[k * n + j];
  return c;
}

interface Root {
  readonly n: number;
  readonly p: number;
  /** Packed, default `definite(n)`. */
  readonly of?: Float32Array;
}

/** The roots in the order of the matrices. */
function roots(
  t: Inputs,
  matrices: readonly Root[],
  { method = 'eigh', ridge = 1e-6 }: { method?: 'eigh' | 'newton'; ridge?: number } = {},
): readonly Value[] {
  const requests = matrices.map(({ n, p, of = definite(n) }) => ({
    statistics: t.f32([1, packedSize(n)], of),
    roots: t.f32([1, n, n]),
    p,
    tensor: 0,
  }));
  const counters = { failures: t.i32([requests.length]), updates: t.i32([1], Int32Array.of(1)) };
  inverseRoots(t.status, counters, requests, { epsilon: 0, ridge, method, beta: 1 });
  return requests.map((request) => request.roots);
}

/** `count` roots A^(−1/4) of size n. */
export const equalRoots = (count: number, n: number): Kernel => ({
  build: (t) => {
    roots(t, new Array(count).fill({ n, p: 4 }));
    return [];
  },
});

/** The same of matrices of a condition, none of it taken away by a ridge, and the residual of the last. */
export const conditionedRoots = (count: number, n: number, condition: number): Kernel => {
  const a = conditioned(n, condition);
  let last: Value;
  return {
    build: (t) => {
      const all = roots(t, new Array(count).fill({ n, p: 4, of: a }), { ridge: 0 });
      last = all[count - 1];
      return [];
    },
    measured: (read) => `residual ${residual(a, read(last), n).toExponential(1)}`,
  };
};

/** All of Shampoo's roots for LeNet-5: two a weight, one a bias. */
export const shampooRoots = (method: 'eigh' | 'newton'): Kernel => ({
  build: (t) => {
    const matrices = LAYERS.flatMap(([out, input]) => [
      { n: out, p: 4 },
      { n: input, p: 4 },
      { n: out, p: 2 },
    ]);
    roots(t, matrices, { method });
    return [];
  },
});

/** All of K-FAC's inverses: one for the inputs, 1 for the bias among them, and one for the outputs of a layer. */
export const kfacFactorInverses: Kernel = {
  build: (t) => {
    const whole = (n: number) => [
      { factor: t.f32([packedSize(n)], definite(n)), result: t.f32([n, n]) },
    ];
    const layers = LAYERS.map(([out, input], tensor) => ({
      a: whole(input + 1),
      g: whole(out),
      tensor,
    }));
    const counters = {
      failures: t.i32([2 * layers.length]),
      updates: t.i32([1], Int32Array.of(1)),
    };
    kfacInverses(t.status, counters, layers, t.f32([], Float32Array.of(1e-3)));
    return [];
  },
};
