/** Rows that weigh differently: in micro-batches, over the steps of an epoch, in evaluation and in K-FAC's model. */
import { describe, expect, it } from 'vitest';
import {
  crossEntropy,
  type Dataset,
  embedding,
  type FitOptions,
  fit,
  type Loss,
  linear,
  ops,
  type StepReport,
  sam,
  sequential,
  sgd,
  squaredError,
  tokenCrossEntropy,
} from '../../src/index.ts';
import { uniforms } from '../../src/random/philox.ts';
import { present } from '../optim/devices.ts';

const [STEPS, VOCABULARY, CLASSES] = [8, 5, 3];
/** The last four rows have few labels that count, and others than the first. */
const LENGTHS = [8, 8, 7, 8, 1, 2, 1, 1];
const ROWS = LENGTHS.length;

/** Rows from `counted` on are padding alone. */
function sentences(counted = ROWS): Dataset {
  const draws = uniforms({ seed: 3, stream: 0, step: 0 }, ROWS * STEPS);
  const isToken = (at: number) => at % STEPS < LENGTHS[Math.floor(at / STEPS)];
  return {
    name: 'sentences',
    synthetic: true,
    inputs: {
      data: Int32Array.from(draws, (u, at) => (isToken(at) ? Math.floor(u * VOCABULARY) : -1)),
      shape: [STEPS],
    },
    labels: Int32Array.from(draws, (u, at) => {
      if (!isToken(at) || at >= counted * STEPS) return -1;
      return at < 4 * STEPS ? 0 : 1 + Math.floor(u * 2);
    }),
    labelShape: [STEPS],
    classes: CLASSES,
    count: ROWS,
  };
}

const CLASS_WEIGHTS = [0.03, 0.4, 0];
/** Cross-entropy in which rows weigh as their classes do, together less than 1 in some batches. */
const byClass = (): Loss => ({
  ...crossEntropy(),
  name: 'byClass',
  weights: (labels) => {
    const table = ops.normalise(ops.fill(labels.graph, [1, CLASSES], 0), {
      scale: [1, 1, 1],
      shift: CLASS_WEIGHTS,
    });
    return ops.gather(ops.reshape(table, [CLASSES]), ops.reshape(labels, [-1]));
  },
});

const LOSSES = { tokens: tokenCrossEntropy, classes: byClass };
const weightOf = { tokens: () => 1, classes: (label: number) => CLASS_WEIGHTS[label] };

/** All labels of the first row only, so that every label is a class. */
function whole(): Dataset {
  const data = sentences();
  const labels = data.labels.map((label) => (label === -1 ? 2 : label));
  return { ...data, labels };
}

const train = async (
  device: (typeof present)[number],
  given: Partial<FitOptions>,
  data = sentences(),
) => {
  const reports: StepReport[] = [];
  const { model, history } = await fit(
    sequential({ words: embedding(VOCABULARY, 4), head: linear(CLASSES) }),
    { train: data, test: data },
    {
      optimizer: sgd({ lr: 1 }),
      loss: tokenCrossEntropy(),
      batch: ROWS,
      epochs: 1,
      seed: 2,
      device,
      onStep: (report) => reports.push(report),
      ...given,
    },
  );
  return { model, params: model.parameters(), reports, history };
};

function expectEqual(
  a: Awaited<ReturnType<typeof train>>,
  b: Awaited<ReturnType<typeof train>>,
  tolerance = 1e-6,
) {
  a.reports.forEach(({ loss, weight, sharpness }, i) => {
    expect(Math.abs(loss - b.reports[i].loss)).toBeLessThan(tolerance);
    expect(Math.abs(weight - b.reports[i].weight)).toBeLessThan(tolerance * weight);
    expect(Math.abs((sharpness ?? 0) - (b.reports[i].sharpness ?? 0))).toBeLessThan(tolerance);
  });
  for (const [name, { data }] of Object.entries(a.params)) {
    data.forEach((x, i) => {
      expect(Math.abs(x - b.params[name].data[i]), `${name}[${i}]`).toBeLessThan(tolerance);
    });
  }
}

describe.each(present)('weights of rows on %s', (device) => {
  describe.each(['tokens', 'classes'] as const)('of %s', (kind) => {
    const data = () => (kind === 'tokens' ? sentences() : whole());

    it.each([2, 3, 8])(
      'give the step of the whole batch in %d micro-batches',
      async (accumulate) => {
        for (const optimizer of [sgd({ lr: 1 }), sam(sgd({ lr: 1 }), { rho: 0.1 })]) {
          const given = { loss: LOSSES[kind](), optimizer, epochs: 2 };
          const together = await train(device, given, data());
          expectEqual(together, await train(device, { ...given, accumulate }, data()));
        }
      },
    );

    it('make the loss of an epoch and of an evaluation one mean over all rows', async () => {
      const given = { loss: LOSSES[kind](), optimizer: sgd({ lr: 0 }), batch: 3, accumulate: 2 };
      const { model, history, reports } = await train(device, given, data());
      const { inputs, labels } = data();
      const { data: logits } = model.predict(inputs.data as Int32Array);
      let [sum, total] = [0, 0];
      labels.forEach((label, at) => {
        if (label === -1) return;
        const row = [...logits.subarray(at * CLASSES, (at + 1) * CLASSES)];
        const weight = weightOf[kind](label);
        sum += weight * (Math.log(row.reduce((s, x) => s + Math.exp(x), 0)) - row[label]);
        total += weight;
      });
      const [{ trainLoss, testLoss }] = history;
      expect(Math.abs(trainLoss - sum / total)).toBeLessThan(1e-6);
      expect(Math.abs((testLoss ?? NaN) - sum / total)).toBeLessThan(1e-6);
      const weights = reports.reduce((s, { weight }) => s + weight, 0);
      expect(Math.abs(weights - total)).toBeLessThan(1e-5);
    });
  });

  it('of padding alone are none', async () => {
    const half = sentences(4);
    const together = await train(device, {}, half);
    expectEqual(together, await train(device, { accumulate: 8 }, half));
    // Steps of padding alone neither move anything nor enter the mean, which there is none of without others.
    const still = { optimizer: sgd({ lr: 0 }), batch: 1 };
    const { history, reports } = await train(device, still, half);
    expect(reports.filter(({ weight, loss }) => weight === 0 && loss === 0)).toHaveLength(4);
    expect(Math.abs(history[0].trainLoss - (history[0].testLoss ?? NaN))).toBeLessThan(1e-6);
    const nothing = await train(device, { accumulate: 2 }, sentences(0));
    expect(nothing.history[0]).toMatchObject({ trainLoss: NaN, testLoss: NaN });
    const start = await train(device, { epochs: 0 }, half);
    expect(nothing.params).toEqual(start.params);
  });

  it('are examples where a loss has none', async () => {
    const labels = Int32Array.from({ length: ROWS * STEPS }, (_, i) => i % CLASSES);
    const given = { loss: crossEntropy(), batch: 3 };
    const { reports } = await train(device, given, { ...sentences(), labels });
    expect(reports.map(({ weight }) => weight)).toEqual([3, 3, 2]);
    expect(squaredError().weights).toBeUndefined();
  });
});
