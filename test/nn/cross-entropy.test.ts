/** Label smoothing and class weights against PyTorch's definition in doubles, and the Fisher against the loss's curvature. */
import { describe, expect, it } from 'vitest';
import { gradients } from '../../src/autodiff/gradients.ts';
import {
  type CrossEntropyOptions,
  crossEntropy,
  fit,
  kfac,
  type Loss,
  linear,
  sgd,
  tokenCrossEntropy,
} from '../../src/index.ts';
import { massOf } from '../../src/nn/mass.ts';
import { affine } from '../../src/ops/elementwise.ts';
import { fill } from '../../src/ops/fill.ts';
import { f32, i32, random } from '../conformance/data.ts';
import { inDoubles, traceForward } from '../conformance/harness.ts';
import { devices } from '../optim/devices.ts';

const [ROWS, CLASSES] = [5, 4];
const LABELS = [0, 3, 1, 1, 2];
const WEIGHTS = [0.5, 2, 1, 3];
const logits = random(ROWS * CLASSES, { seed: 3 });

/** nn.CrossEntropyLoss(weight, label_smoothing, ignore_index=−1), as its documentation has it. */
function exact(
  x: ArrayLike<number>,
  labels: readonly number[],
  options: CrossEntropyOptions,
): number {
  const { labelSmoothing = 0, classWeights = Array<number>(CLASSES).fill(1) } = options;
  let total = 0;
  let weight = 0;
  labels.forEach((label, r) => {
    if (label === -1) return;
    const row = Array.from({ length: CLASSES }, (_, c) => x[r * CLASSES + c]);
    const all = Math.log(row.reduce((s, v) => s + Math.exp(v), 0));
    weight += classWeights[label];
    row.forEach((v, c) => {
      const target = (c === label ? 1 - labelSmoothing : 0) + labelSmoothing / CLASSES;
      total += classWeights[c] * target * (all - v);
    });
  });
  return total / weight;
}

/** What a loss traces of these logits and labels, in doubles. */
function traced(
  labels: readonly number[],
  build: (...given: Parameters<Loss['trace']>) => ReturnType<Loss['trace']>[],
  loss: Loss,
): Float64Array[] {
  return inDoubles(
    traceForward({
      op: 'crossEntropy',
      name: loss.name,
      inputs: [f32([ROWS, CLASSES], logits), i32([ROWS], labels)],
      build: ([x, y]) => build(x, y, massOf(loss, { targets: y }, ROWS).shares),
      oracle: () => [],
    }),
  );
}

const OPTIONS: readonly CrossEntropyOptions[] = [
  {},
  { labelSmoothing: 0.1 },
  { labelSmoothing: 1 },
  { classWeights: WEIGHTS },
  { classWeights: [0, 1, 0, 2] },
  { classWeights: WEIGHTS, labelSmoothing: 0.3 },
];
const cases = OPTIONS.flatMap((options) => [
  { options, labels: LABELS, loss: crossEntropy(options) },
  { options, labels: [0, -1, 1, -1, 2], loss: tokenCrossEntropy(options) },
]);

describe('cross-entropy', () => {
  it.each(cases)('$loss.name, $options and its gradient', ({ options, labels, loss }) => {
    const [value, gradient] = traced(
      labels,
      (x, y, shares) => {
        const total = loss.trace(x, y, shares);
        return [total, gradients(total, [x])[0] as typeof x];
      },
      loss,
    );
    expect(value[0]).toBeCloseTo(exact(logits, labels, options), 12);
    const at = (k: number, h: number) =>
      exact(
        Float64Array.from(logits, (v, i) => (i === k ? v + h : v)),
        labels,
        options,
      );
    gradient.forEach((g, k) => {
      expect(g).toBeCloseTo((at(k, 1e-5) - at(k, -1e-5)) / 2e-5, 8);
    });
  });

  it('of padding alone is 0', () => {
    const loss = tokenCrossEntropy({ labelSmoothing: 0.1, classWeights: WEIGHTS });
    const [value] = traced([-1, -1, -1, -1, -1], (...given) => [loss.trace(...given)], loss);
    expect(value[0]).toBe(0);
  });

  const known = cases.filter(({ options }) => Object.keys(options).length < 2);
  it.each(known)(
    '$loss.name, $options: its Fisher is its curvature',
    ({ options, labels, loss }) => {
      const [shares, ...roots] = traced(
        labels,
        (x, _, given) => {
          const own = given ?? fill(x.graph, [ROWS], 1 / ROWS);
          return [affine(own, 1), ...(loss.fisherRoots?.(x, given) ?? [])];
        },
        loss,
      );
      const h = 1e-3;
      for (let r = 0; r < ROWS; r++) {
        for (let a = 0; a < CLASSES; a++) {
          for (let b = 0; b < CLASSES; b++) {
            const [i, j] = [r * CLASSES + a, r * CLASSES + b];
            const at = (s: number, t: number) =>
              exact(
                Float64Array.from(logits, (v, k) => v + (k === i ? s : 0) + (k === j ? t : 0)),
                labels,
                options,
              );
            const curvature = (at(h, h) - at(h, -h) - at(-h, h) + at(-h, -h)) / (4 * h * h);
            const fisher = roots.reduce((sum, d) => sum + d[i] * d[j], 0);
            expect(fisher).toBeCloseTo(curvature * shares[r], 6);
          }
        }
      }
    },
  );

  it.each([
    [
      { labelSmoothing: 1.1 },
      'labelSmoothing of crossEntropy must be a number from 0 to 1, got 1.1',
    ],
    [
      { classWeights: [1, -1] },
      'classWeights of crossEntropy must be a list of finite numbers of at least 0, got [ 1, -1 ]',
    ],
    [
      { classWeights: [1, 0], labelSmoothing: 0.1 },
      'classWeights of crossEntropy must be a list of finite numbers above 0, since labels are smoothed, got [ 1, 0 ]',
    ],
    [{ smoothing: 0.1 }, 'crossEntropy: Unknown option "smoothing"'],
  ])('refuses %j', (options, message) => {
    expect(() => crossEntropy(options as never)).toThrow(message);
  });
});

const points = {
  name: 'points',
  synthetic: true,
  inputs: { data: random(ROWS * 3, { seed: 9 }), shape: [3] },
  labels: Int32Array.from(LABELS),
  classes: CLASSES,
  count: ROWS,
};

describe.each(devices)('cross-entropy on $title', ({ device, missing }) => {
  const run = (loss: Loss, optimizer = sgd({ lr: 0.1 })) =>
    fit(
      linear(CLASSES),
      { train: points, test: points },
      { optimizer, loss, epochs: 2, batch: 2, device },
    );

  it.skipIf(missing !== null)(
    'trains and evaluates: batches weigh what their rows do',
    async () => {
      const options = { labelSmoothing: 0.2, classWeights: WEIGHTS };
      const { model, history } = await run(crossEntropy(options));
      const outputs = model.predict(points.inputs.data).data;
      const [{ testLoss }] = history.slice(-1);
      expect(testLoss).toBeCloseTo(exact(outputs, LABELS, options), 5);
    },
  );

  it.skipIf(missing !== null)(
    'K-FAC draws labels for a smoothed loss, and refuses what has no Fisher',
    async () => {
      const { history } = await run(
        crossEntropy({ labelSmoothing: 0.1 }),
        kfac({ lr: 0.1, fisher: 'true' }),
      );
      expect(history[1].trainLoss).toBeLessThan(history[0].trainLoss);
      const both = crossEntropy({ labelSmoothing: 0.1, classWeights: WEIGHTS });
      await expect(run(both, kfac({ lr: 0.1, fisher: 'true' }))).rejects.toThrow(
        'The Fisher of crossEntropy is not known with both labelSmoothing and classWeights',
      );
      const empirical = await run(both, kfac({ lr: 0.1, fisher: 'empirical' }));
      expect(Number.isFinite(empirical.history[1].trainLoss)).toBe(true);
    },
  );

  it.skipIf(missing !== null)('refuses weights for other classes', async () => {
    await expect(run(crossEntropy({ classWeights: [1, 2] }))).rejects.toThrow(
      'crossEntropy has 2 classWeights for logits f32[',
    );
  });
});
