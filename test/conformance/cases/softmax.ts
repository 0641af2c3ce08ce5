import { pushforward } from '../../../src/autodiff/gradients.ts';
import { logSoftmax } from '../../../src/ops/log_softmax.ts';
import { countCorrect, crossEntropy, softmax } from '../../../src/ops/softmax.ts';
import { f32, i32, random, randomIntegers, u8 } from '../data.ts';
import type { Case } from '../harness.ts';

/** [rows, classes] */
const SIZES = [
  [0, 3],
  [1, 1],
  [1, 2],
  [5, 3],
  [4, 4],
  [3, 5],
  [9, 7],
  [9, 8],
  [9, 9],
  [33, 10],
  [8, 15],
  [8, 16],
  [8, 17],
  [5, 101],
  [2000, 10],
  [3, 17000],
] as const;

const rowsOf = (x: Float64Array, classes: number): Float64Array[] =>
  Array.from({ length: x.length / classes }, (_, r) => x.slice(r * classes, (r + 1) * classes));

/** log Σ e^x of a row. */
function logSum(row: Float64Array): number {
  const top = row.reduce((a, b) => Math.max(a, b), -Infinity);
  return top + Math.log(row.reduce((s, v) => s + Math.exp(v - top), 0));
}

const probabilities = (x: Float64Array, classes: number): number[] =>
  rowsOf(x, classes).flatMap((row) => {
    const all = logSum(row);
    return Array.from(row, (v) => Math.exp(v - all));
  });

const loss = (x: Float64Array, classes: number, labels: Float64Array): number =>
  rowsOf(x, classes).reduce((s, row, r) => s + logSum(row) - row[labels[r]], 0) / labels.length;

const logits = (rows: number, classes: number) =>
  f32([rows, classes], random(rows * classes, { seed: 8, low: -9, high: 9 }));

const softmaxes = SIZES.map(
  ([rows, classes]): Case => ({
    op: 'softmax',
    name: `[${rows}, ${classes}]`,
    inputs: [logits(rows, classes)],
    build: ([x]) => [softmax(x)],
    oracle: ([x]) => [probabilities(x, classes)],
    gradient: [0],
    // e^(x − top) carries the rounding of x − top.
    tolerance: { rel: 3e-6, abs: 1e-12 },
  }),
);

const logarithms = SIZES.map(
  ([rows, classes]): Case => ({
    op: 'logSoftmax',
    name: `[${rows}, ${classes}]`,
    inputs: [logits(rows, classes)],
    build: ([x]) => [logSoftmax(x)],
    oracle: ([x]) => [rowsOf(x, classes).flatMap((row) => [...row].map((v) => v - logSum(row)))],
    gradient: [0],
    // The largest is about 0, where the logits were up to 9.
    tolerance: { rel: 1e-6, abs: 1e-6 },
    // e^y carries the rounding of y.
    gradientTolerance: { rel: 1e-5, abs: 1e-5 },
  }),
);

const entropies = SIZES.flatMap(([rows, classes]) =>
  [i32, u8].map(
    (integers): Case => ({
      op: 'crossEntropy',
      name: `[${rows}, ${classes}] with ${integers.name} labels`,
      inputs: [
        logits(rows, classes),
        integers([rows], randomIntegers(rows, Math.min(classes, 256), 9)),
      ],
      build: ([x, labels]) => [crossEntropy(x, labels)],
      oracle: ([x, labels]) => [[loss(x, classes, labels)]],
      gradient: [0],
      tolerance: { rel: 2e-6 },
      gradientTolerance: { rel: 1e-5, abs: 1e-7 },
    }),
  ),
);

/** Every third row weighs nothing, whatever its label. */
const weighted = SIZES.map(([rows, classes]): Case => {
  const weights = random(rows, { seed: 5, low: 0, high: 1 }).map((w, r) => (r % 3 === 1 ? 0 : w));
  const labels = randomIntegers(rows, Math.min(classes, 256), 9);
  return {
    op: 'crossEntropy',
    name: `[${rows}, ${classes}] with weights`,
    inputs: [
      logits(rows, classes),
      i32(
        [rows],
        labels.map((label, r) => (weights[r] === 0 ? -1 : label)),
      ),
      f32([rows], weights),
    ],
    build: ([x, targets, w]) => [crossEntropy(x, targets, w)],
    oracle: ([x, targets, w]) => [
      [
        rowsOf(x, classes).reduce(
          (s, row, r) => (w[r] === 0 ? s : s + w[r] * (logSum(row) - row[targets[r]])),
          0,
        ),
      ],
    ],
    gradient: [0],
    tolerance: { rel: 2e-6 },
    gradientTolerance: { rel: 1e-5, abs: 1e-7 },
  };
});

const counts = SIZES.map(
  ([rows, classes]): Case => ({
    op: 'countCorrect',
    name: `[${rows}, ${classes}]`,
    inputs: [logits(rows, classes), i32([rows], randomIntegers(rows, Math.min(3, classes), 9))],
    build: ([x, labels]) => [countCorrect(x, labels)],
    oracle: ([x, labels]) => [
      [rowsOf(x, classes).filter((row, r) => row.indexOf(Math.max(...row)) === labels[r]).length],
    ],
    tolerance: { rel: 0 },
  }),
);

const far = f32([4, 3], [1000, 999, -1000, 1, 2, -Infinity, NaN, 1, 2, Infinity, 1, 2]);

const MAX = 3.4028234663852886e38;

/** Rows in which log Σ e^(x − top) is nothing beside the maximum, with the label and the loss of each. */
const HUGE: readonly (readonly [number[], number, number])[] = [
  [[1e15, 1e15], 0, Math.log(2)],
  [[1e17, 1e17], 1, Math.log(2)],
  [[-1e17, -1e17], 1, Math.log(2)],
  [[MAX, MAX], 0, Math.log(2)],
  [[-MAX, -MAX], 1, Math.log(2)],
  [[MAX, 0], 0, 0],
  [[0, MAX], 0, MAX],
  [[-Infinity, -MAX], 1, 0],
  [[-Infinity, 1e17], 0, Infinity],
  [[-Infinity, -Infinity], 0, NaN],
  [[Infinity, 1], 1, NaN],
];

const huge = HUGE.flatMap(([row, label, want]) =>
  // Others of −∞ change nothing; rows of many classes have a loop of their own.
  [2, 3, 16, 17, 40].map((classes): Case => {
    const wide = [...row, ...Array<number>(classes - 2).fill(-Infinity)];
    return {
      op: 'crossEntropy',
      name: `[${row.join(', ')}] with label ${label} among ${classes}`,
      inputs: [f32([1, classes], wide), i32([1], [label])],
      build: ([x, labels]) => [crossEntropy(x, labels)],
      oracle: () => [[want]],
      tolerance: { rel: 1e-6 },
    };
  }),
);

/** A direction that all classes share does not move a softmax, however large it is. */
const common = [2, 5, 17, 40].map((classes): Case => {
  const y = random(classes, { low: 0, high: 1 });
  return {
    op: 'softmaxGrad',
    name: `${classes} equal numbers of 1e20`,
    inputs: [f32([1, classes], y), f32([1, classes], Array(classes).fill(1e20))],
    build: ([x, dx]) => [pushforward(softmax(x), [x], [dx])],
    oracle: () => [Array(classes).fill(0)],
    tolerance: { rel: 0 },
  };
});

export const cases: Case[] = [
  ...huge,
  ...common,
  ...softmaxes,
  ...logarithms,
  ...entropies,
  ...weighted,
  ...counts,
  {
    op: 'softmax',
    name: 'large, infinite and NaN logits',
    inputs: [far],
    build: ([x]) => [softmax(x)],
    oracle: () => {
      const e = 1 / (1 + Math.exp(-1));
      return [[e, 1 - e, 0, 1 - e, e, 0, NaN, NaN, NaN, NaN, NaN, NaN]];
    },
  },
  {
    op: 'logSoftmax',
    name: 'huge, infinite and NaN logits',
    inputs: [f32([5, 2], [1e17, 1e17, MAX, 0, 1, -Infinity, Infinity, 1, NaN, 1])],
    build: ([x]) => [logSoftmax(x)],
    oracle: () => {
      const half = -Math.LN2;
      return [[half, half, 0, -MAX, 0, -Infinity, NaN, NaN, NaN, NaN]];
    },
  },
  ...[-1, 3].map(
    (label): Case => ({
      op: 'crossEntropy',
      name: `label ${label} outside the classes`,
      inputs: [f32([2, 3], [1, 2, 3, 4, 5, 6]), i32([2], [1, label])],
      build: ([x, labels]) => [crossEntropy(x, labels)],
      oracle: () => [[NaN]],
    }),
  ),
  {
    op: 'countCorrect',
    name: 'rows of weight 0 do not count',
    inputs: [
      f32([4, 2], [1, 0, 1, 0, 0, 1, 0, 1]),
      u8([4], [0, 0, 0, 1]),
      f32([4], [0, 0.5, 3, 2]),
    ],
    build: ([x, labels, w]) => [countCorrect(x, labels, w)],
    // Rows 0, 1 and 3 are right, row 0 does not count.
    oracle: () => [[2]],
  },
  {
    op: 'countCorrect',
    name: 'the first of equals counts',
    inputs: [f32([2, 3], [1, 7, 7, 2, 2, 2]), u8([2], [1, 1])],
    build: ([x, labels]) => [countCorrect(x, labels)],
    oracle: () => [[1]],
  },
];
