/**
 * Inverse roots and damped inverses of several matrices in one call, and their failure policy. Roots by coupled
 * Newton stop at max|M − I| < 1e-6, above what doubles are held to here: test/linalg has them.
 */
import { countUpdate, inverseRoots, kfacInverses } from '../../../src/ops/roots.ts';
import { inverse, jacobi, type Rows } from '../../optim/oracles/matrix.ts';
import { f32, i32, packed, positive, unpacked } from '../data.ts';
import { type Case, MOMENT, type Tensor } from '../harness.ts';

const GOING = [0, 0, 0, 0, 0, 0, 0, 0];
const STEP = 41;
const MOMENTS = [{ ...MOMENT, step: STEP }];
/** Condition numbers are below 10. */
const TOLERANCE = { rel: 2e-5, abs: 2e-6 };

const constant = (n: number, value: number): Float32Array => new Float32Array(n * n).fill(value);

const diagonal = (values: readonly number[]): Float32Array =>
  Float32Array.from({ length: values.length ** 2 }, (_, k) => {
    const [r, c] = [Math.floor(k / values.length), k % values.length];
    return r === c ? values[r] : 0;
  });

const rowsOf = (data: Float64Array): Rows => {
  const n = Math.round(Math.sqrt(data.length));
  return Array.from({ length: n }, (_, r) => [...data.subarray(r * n, (r + 1) * n)]);
};

const square = (data: Float32Array): Tensor => {
  const n = Math.round(Math.sqrt(data.length));
  return f32([n, n], data);
};

type Verdict = 'ok' | 'notFinite' | 'failed';

/** The counters after results of matrices, each with the counter of its own, by the policy. */
function settle(
  verdicts: readonly { verdict: Verdict; tensor: number; counter: number }[],
  status: readonly number[],
  failures: ArrayLike<number>,
): { status: number[]; failures: number[] } {
  const words = [...status];
  const counts = Array.from(failures);
  verdicts.forEach(({ verdict, tensor, counter }) => {
    counts[counter] = verdict === 'ok' ? 0 : counts[counter] + 1;
    if (verdict !== 'ok') words[5] += 1;
    const last = verdict === 'failed' && counts[counter] >= 3;
    const reason = verdict === 'notFinite' ? 3 : last ? 2 : 0;
    if (reason !== 0 && words[0] === 0) [words[0], words[2], words[3]] = [reason, tensor, STEP];
  });
  return { status: words, failures: counts };
}

/** Neighbours with the same tensor, p and order are one batch. */
interface Root {
  readonly statistic: Float32Array;
  readonly p: number;
  readonly tensor: number;
  readonly verdict?: Verdict;
}

function batchesOf(list: readonly Root[]): Root[][] {
  const batches: Root[][] = [];
  for (const root of list) {
    const [first] = batches.at(-1) ?? [];
    const alike =
      first?.tensor === root.tensor &&
      first.p === root.p &&
      first.statistic.length === root.statistic.length;
    if (alike) batches.at(-1)?.push(root);
    else batches.push([root]);
  }
  return batches;
}

const batched = (matrices: readonly Float32Array[]): Tensor => {
  const n = Math.round(Math.sqrt(matrices[0].length));
  return f32(
    [matrices.length, n, n],
    matrices.flatMap((m) => [...m]),
  );
};

const statisticsOf = (matrices: readonly Float32Array[]): Tensor => {
  const triangles = matrices.map(packed);
  return f32([triangles.length, triangles[0].length], triangles.flat());
};

function roots(
  name: string,
  list: readonly Root[],
  given: Partial<{
    epsilon: number;
    ridge: number;
    beta: number;
    updates: number;
    failures: readonly number[];
    status: readonly number[];
  }> = {},
): Case {
  const { epsilon = 0, ridge = 0, beta = 1, updates = 3, status = GOING } = given;
  const failures = given.failures ?? list.map(() => 0);
  const lastOf = ({ statistic }: Root) => constant(Math.sqrt(statistic.length), 0.5);
  const batches = batchesOf(list);
  return {
    op: 'inverseRoots',
    name,
    inputs: [
      i32([8], status),
      i32([list.length], failures),
      i32([1], [updates]),
      ...batches.map((batch) => statisticsOf(batch.map(({ statistic }) => statistic))),
      ...batches.map((batch) => batched(batch.map(lastOf))),
    ],
    build: ([block, counts, count, ...matrices]) => {
      const outputs = matrices.slice(batches.length);
      const requests = batches.map(([{ p, tensor }], i) => ({
        statistics: matrices[i],
        roots: outputs[i],
        p,
        tensor,
      }));
      const options = { epsilon, ridge, method: 'eigh' as const, beta };
      inverseRoots(block, { failures: counts, updates: count }, requests, options);
      return [block, counts, ...outputs];
    },
    oracle: () => {
      const still = status[0] !== 0 || status[1] !== 0 || updates === 0;
      const settled = still
        ? { status, failures }
        : settle(
            list.map(({ verdict = 'ok', tensor }, counter) => ({ verdict, tensor, counter })),
            status,
            failures,
          );
      const correction = beta === 1 ? 1 : 1 / (1 - beta ** updates);
      const rootOf = (root: Root): number[] => {
        const { p, verdict = 'ok', statistic } = root;
        if (still || verdict !== 'ok') return [...lastOf(root)];
        const a = Float64Array.from(statistic, (x) => x * correction);
        const { values, vectors } = jacobi(rowsOf(a));
        const largest = Math.max(...values) + epsilon;
        const powers = values.map((x) => (x + epsilon + ridge * largest) ** (-1 / p));
        return vectors.flatMap((row) =>
          vectors.map((other) => row.reduce((sum, x, j) => sum + x * powers[j] * other[j], 0)),
        );
      };
      const results = batches.map((batch) => batch.flatMap(rootOf));
      return [settled.status, settled.failures, ...results];
    },
    moments: MOMENTS,
    tolerance: TOLERANCE,
  };
}

const mixed: Root[] = [1, 2, 3, 8, 15, 16, 17, 33].map((n, i) => ({
  statistic: positive(n, 10 + i, [1, 100, 1e-3][i % 3]),
  p: [2, 4, 6, 8, 1, 2.5][i % 6],
  tensor: i,
}));
const good: Root = { statistic: positive(4, 30), p: 4, tensor: 0 };
const zero: Root = { statistic: constant(3, 0), p: 4, tensor: 1, verdict: 'failed' };
const singular: Root = { statistic: diagonal([1, 0]), p: 2, tensor: 2, verdict: 'failed' };
const broken: Root = { statistic: constant(2, NaN), p: 4, tensor: 3, verdict: 'notFinite' };

interface Layer {
  readonly a: Float32Array;
  readonly g: Float32Array;
  readonly tensor: number;
  readonly verdicts?: readonly [Verdict, Verdict];
}

function inverses(
  name: string,
  list: readonly Layer[],
  given: Partial<{
    damping: number;
    failures: readonly number[];
    status: readonly number[];
    updates: number;
  }> = {},
): Case {
  const { damping = 0.01, status = GOING, updates = 1 } = given;
  // Two for each parameter, whether it has factors or not.
  const failures = given.failures ?? Array<number>(20).fill(0);
  const factors = list.flatMap(({ a, g }) => [a, g]);
  const last = factors.map((m) => constant(Math.sqrt(m.length), 0.5));
  return {
    op: 'kfacInverses',
    name,
    inputs: [
      i32([8], status),
      i32([failures.length], failures),
      i32([1], [updates]),
      f32([], [damping]),
      ...factors.map((m) => f32([packed(m).length], packed(m))),
      ...last.map(square),
    ],
    build: ([block, failures, updates, lambda, ...matrices]) => {
      const outputs = matrices.slice(factors.length);
      const pair = (k: number) => [{ factor: matrices[k], result: outputs[k] }];
      const layers = list.map(({ tensor }, i) => ({ a: pair(2 * i), g: pair(2 * i + 1), tensor }));
      kfacInverses(block, { failures, updates }, layers, lambda);
      return [block, failures, ...outputs];
    },
    oracle: ([, , , [lambda], ...matrices]) => {
      const still = status[0] !== 0 || status[1] !== 0 || updates === 0;
      const verdicts = list.flatMap(({ verdicts = ['ok', 'ok'], tensor }) =>
        verdicts.map((verdict, side) => ({ verdict, tensor, counter: 2 * tensor + side })),
      );
      const settled = still ? { status, failures } : settle(verdicts, status, failures);
      const trace = (m: Rows) => m.reduce((sum, row, i) => sum + row[i], 0);
      const results = list.flatMap((_, i) => {
        const [a, g] = [2 * i, 2 * i + 1].map((k) => rowsOf(unpacked(matrices[k])));
        const [ta, tg] = [trace(a), trace(g)];
        const pi = ta > 0 && tg > 0 ? Math.sqrt(ta / a.length / (tg / g.length)) : 1;
        return [a, g].map((m, side) => {
          const k = 2 * i + side;
          if (still || verdicts[k].verdict !== 'ok') return Float64Array.from(last[k]);
          const shift = Math.sqrt(lambda) * (side === 0 ? pi : 1 / pi);
          return inverse(m.map((row, r) => row.map((x, c) => x + (r === c ? shift : 0)))).flat();
        });
      });
      return [settled.status, settled.failures, ...results];
    },
    moments: MOMENTS,
    tolerance: TOLERANCE,
  };
}

/** A vector A stands for the matrix that has it as its diagonal. */
function diagonalInverses(
  name: string,
  a: readonly number[],
  g: Float32Array,
  { damping = 0.01, verdict = 'ok' as Verdict } = {},
): Case {
  const n = Math.sqrt(g.length);
  const last = [a.map(() => 0.5), [...g].map(() => 0.5)];
  return {
    op: 'kfacInverses',
    name,
    inputs: [
      i32([8], GOING),
      i32([2], [0, 0]),
      i32([1], [-3]),
      f32([], [damping]),
      f32([a.length], a),
      f32([packed(g).length], packed(g)),
      f32([a.length], last[0]),
      f32([n, n], last[1]),
    ],
    build: ([block, failures, updates, lambda, a, g, aInverse, gInverse]) => {
      const layer = {
        a: [{ factor: a, result: aInverse }],
        g: [{ factor: g, result: gInverse }],
        tensor: 0,
      };
      kfacInverses(block, { failures, updates }, [layer], lambda);
      return [block, failures, aInverse, gInverse];
    },
    oracle: ([, , , [lambda], a, g]) => {
      const rows = rowsOf(unpacked(g));
      const means = [a.reduce((x, y) => x + y, 0) / a.length];
      means.push(rows.reduce((sum, row, i) => sum + row[i], 0) / n);
      const ratio = means[0] / means[1];
      const pi = ratio > 0 ? Math.sqrt(ratio) : 1;
      const shift = Math.sqrt(lambda);
      const settled = settle([{ verdict, tensor: 0, counter: 0 }], GOING, [0, 0]);
      return [
        settled.status,
        settled.failures,
        verdict === 'ok' ? a.map((x) => 1 / (x + pi * shift)) : last[0],
        inverse(rows.map((row, r) => row.map((x, c) => x + (r === c ? shift / pi : 0)))).flat(),
      ];
    },
    moments: MOMENTS,
    tolerance: TOLERANCE,
  };
}

/** Factors of several blocks, π of all of them; a factor fails where one of its blocks does, the others are made anew. */
function blockInverses(
  name: string,
  [a, g]: readonly [readonly Float32Array[], readonly Float32Array[]],
  bad: readonly { block: number; verdict: Verdict }[] = [],
): Case {
  const all = [...a, ...g];
  const last = all.map((m) => constant(Math.sqrt(m.length), 0.5));
  const verdictOf = (index: number) => bad.find(({ block }) => block === index)?.verdict ?? 'ok';
  return {
    op: 'kfacInverses',
    name,
    inputs: [
      i32([8], GOING),
      i32([4], [0, 0, 1, 1]),
      i32([1], [2]),
      f32([], [0.01]),
      ...all.map((m) => f32([packed(m).length], packed(m))),
      ...last.map(square),
    ],
    build: ([block, failures, updates, lambda, ...matrices]) => {
      const results = matrices.slice(all.length);
      const pairs = results.map((result, i) => ({ factor: matrices[i], result }));
      const layer = { a: pairs.slice(0, a.length), g: pairs.slice(a.length), tensor: 1 };
      kfacInverses(block, { failures, updates }, [layer], lambda);
      return [block, failures, ...results];
    },
    oracle: ([, , , [lambda], ...matrices]) => {
      const blocks = all.map((_, i) => rowsOf(unpacked(matrices[i])));
      const mean = (some: readonly Rows[]) => {
        const entries = some.flatMap((m) => m.map((row, i) => row[i]));
        return entries.reduce((sum, x) => sum + x, 0) / entries.length;
      };
      const ratio = mean(blocks.slice(0, a.length)) / mean(blocks.slice(a.length));
      const pi = ratio > 0 ? Math.sqrt(ratio) : 1;
      const sides = [all.keys(), all.keys()].map((keys, side) =>
        [...keys].filter((i) => (i < a.length ? 0 : 1) === side),
      );
      const settled = settle(
        sides.map((side, i) => ({
          verdict: side.map(verdictOf).find((v) => v !== 'ok') ?? 'ok',
          tensor: 1,
          counter: 2 + i,
        })),
        GOING,
        [0, 0, 1, 1],
      );
      const results = blocks.map((m, i) => {
        if (verdictOf(i) !== 'ok') return Float64Array.from(last[i]);
        const shift = Math.sqrt(lambda) * (i < a.length ? pi : 1 / pi);
        return inverse(m.map((row, r) => row.map((x, c) => x + (r === c ? shift : 0)))).flat();
      });
      return [settled.status, settled.failures, ...results];
    },
    moments: MOMENTS,
    tolerance: TOLERANCE,
  };
}

const BLOCKS = [
  [positive(5, 96), positive(4, 97, 10)],
  [positive(2, 98, 0.1), positive(3, 99), positive(1, 100)],
] as const;

const layers: Layer[] = [
  [1, 1],
  [2, 5],
  [17, 8],
  [33, 16],
  [40, 3],
].map(([m, n], i) => ({
  a: positive(m, 50 + i, 10),
  g: positive(n, 60 + i, 0.01),
  tensor: 2 * i,
}));
const negative = diagonal([-5, -5, -5]);
const fine = positive(3, 70);

const counting = (
  status: readonly number[],
  after: number,
  { before = 7, mass }: { before?: number; mass?: number } = {},
): Case => ({
  op: 'countUpdate',
  name: `status ${status.slice(0, 2)}, after ${before}, mass ${mass ?? 'not known'}`,
  inputs: [i32([8], status), i32([1], [before]), ...(mass === undefined ? [] : [f32([], [mass])])],
  build: ([block, counter, mass]) => {
    countUpdate(block, counter, mass);
    return [counter];
  },
  oracle: () => [[after]],
  tolerance: { rel: 0 },
});

const STOPPED = [1, 0, 4, 9, 0, 0, 0, 0];
const SKIPPED = [0, 1, 4, 9, 2, 0, 0, 0];

export const cases: Case[] = [
  diagonalInverses('a diagonal of one', [0.7], positive(1, 90)),
  diagonalInverses('a diagonal with zeros', [0.5, 0, 0.125, 0.375, 0], positive(3, 91)),
  diagonalInverses('a diagonal of zeros', [0, 0], positive(3, 92)),
  diagonalInverses(
    'a long diagonal',
    Array.from({ length: 700 }, (_, i) => i / 1e3),
    positive(9, 93),
  ),
  diagonalInverses('a diagonal with a NaN', [0.5, NaN], positive(3, 94), { verdict: 'notFinite' }),
  diagonalInverses('a diagonal below 0', [-5, -5, -1], positive(3, 95), { verdict: 'failed' }),
  blockInverses('blocks', BLOCKS),
  blockInverses('blocks of 1', [[positive(1, 96), positive(1, 97)], BLOCKS[1]]),
  blockInverses(
    'one block fails',
    [[BLOCKS[0][0], diagonal([-5, -5, -5])], BLOCKS[1]],
    [{ block: 1, verdict: 'failed' }],
  ),
  blockInverses(
    'one block of G is not finite',
    [BLOCKS[0], [constant(2, NaN), positive(3, 99)]],
    [{ block: 2, verdict: 'notFinite' }],
  ),
  roots('every size and exponent', mixed),
  roots('blocks of a tensor', [
    ...[0, 1, 2].map((i): Root => ({ statistic: positive(5, 40 + i), p: 4, tensor: 7 })),
    ...mixed.slice(3, 5),
  ]),
  roots('one block of a tensor fails', [
    { ...good, tensor: 4 },
    { statistic: constant(4, 0), p: 4, tensor: 4, verdict: 'failed' },
    { ...good, tensor: 4 },
  ]),
  roots('no matrix', []),
  roots('a matrix without elements', [{ statistic: new Float32Array(0), p: 4, tensor: 0 }]),
  roots('ε and a ridge', mixed, { epsilon: 0.1, ridge: 0.05 }),
  roots('averages, bias-corrected', mixed, { beta: 0.9, epsilon: 0.1 }),
  roots('ε alone', [{ ...zero, verdict: 'ok' }], { epsilon: 1e-4 }),
  roots('a zero matrix keeps the last root', [good, zero]),
  roots('a singular matrix, too', [good, singular]),
  roots('the third failure in a row', [good, zero, singular], { failures: [2, 2, 1] }),
  roots('two third failures: the first is named', [zero, singular], { failures: [2, 5] }),
  roots('a NaN', [good, broken, zero]),
  roots('nothing has been counted', [good, zero], { updates: 0, beta: 0.9 }),
  roots('stopped', [good, broken], { status: STOPPED }),
  roots('a skipped step', [good, broken], { status: SKIPPED }),
  inverses('every size', layers),
  inverses('no layer', []),
  inverses('little damping', layers, { damping: 1e-6 }),
  inverses('no input', [{ a: constant(3, 0), g: fine, tensor: 0 }]),
  inverses('no gradient', [{ a: fine, g: constant(3, 0), tensor: 0 }]),
  inverses('an indefinite factor', [
    { a: negative, g: fine, tensor: 3, verdicts: ['failed', 'ok'] },
    ...layers,
  ]),
  inverses(
    'the third failure in a row',
    [
      { a: fine, g: fine, tensor: 0 },
      { a: fine, g: negative, tensor: 3, verdicts: ['ok', 'failed'] },
    ],
    { failures: [2, 0, 5, 5, 0, 0, 1, 2] },
  ),
  inverses('a NaN', [{ a: fine, g: constant(2, NaN), tensor: 6, verdicts: ['ok', 'notFinite'] }]),
  inverses('before the first update', layers, { updates: 0 }),
  inverses('stopped', layers, { status: STOPPED }),
  inverses('a skipped step', layers, { status: SKIPPED }),
  counting(GOING, 8),
  counting(STOPPED, 7),
  counting(SKIPPED, 7),
  counting(GOING, 8, { before: -7 }),
  ...[2 ** 31 - 1, -(2 ** 31 - 1), -(2 ** 31)].flatMap((before) => [
    counting(GOING, 2 ** 31 - 1, { before }),
    counting(GOING, -(2 ** 31 - 2), { before, mass: 0 }),
  ]),
  counting(GOING, 1, { before: 0, mass: 1e-30 }),
  counting(GOING, 8, { before: -7, mass: 3 }),
  counting(GOING, -7, { mass: 0 }),
  counting(GOING, -7, { before: -7, mass: 0 }),
  counting(STOPPED, 7, { mass: 0 }),
];
