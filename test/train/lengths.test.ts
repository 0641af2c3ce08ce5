/** Batches of sequences that are padded to their own longest, by a few lengths. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  adamw,
  type Dataset,
  entityF1,
  type FitOptions,
  fit,
  kfac,
  lstmTagger,
  sequential,
  sgd,
  spanF1,
  tokenCrossEntropy,
} from '../../src/index.ts';
import { Draws } from '../../src/random/draws.ts';
import { STREAM } from '../../src/random/philox.ts';
import { Training } from '../../src/train/training.ts';
import { present } from '../optim/devices.ts';

const TAGS = ['O', 'B-A', 'I-A', 'B-B'];
const [VOCABULARY, STEPS] = [11, 21];

/** Rows of 0 to 21 tokens, whose labels follow from them. */
function sentences(count: number, more: Partial<Dataset> = {}): Dataset {
  const data = new Int32Array(count * STEPS).fill(-1);
  const labels = new Int32Array(count * STEPS).fill(-1);
  for (let i = 0; i < count; i++) {
    const draws = new Draws(7, STREAM.init, i);
    const length = draws.chance(0.7) ? draws.below(7) : draws.below(STEPS + 1);
    for (let t = i * STEPS; t < i * STEPS + length; t++) {
      data[t] = draws.below(VOCABULARY);
      labels[t] = data[t] % TAGS.length;
    }
  }
  const shape = [STEPS];
  const inputs = { data, shape };
  const own = { name: 'sentences', synthetic: true, inputs, labels, labelShape: shape };
  return { ...own, classes: TAGS.length, count, ...more };
}

const model = () =>
  lstmTagger({ vocabulary: VOCABULARY, tags: TAGS.length, embedding: 6, hidden: 5 });
const loss = tokenCrossEntropy();
const lengths = [3, 6, 12];
const options: FitOptions = {
  optimizer: sgd({ lr: 0.3, momentum: 0.9 }),
  loss,
  metrics: [entityF1(TAGS)],
  epochs: 3,
  batch: 4,
  seed: 5,
};
const whole = { train: sentences(50), test: sentences(70) };
const cut = { train: sentences(50, { lengths }), test: sentences(70, { lengths }) };

const dir = mkdtempSync(join(tmpdir(), 'flatmin-lengths-'));
afterAll(() => rmSync(dir, { recursive: true }));

describe.each(present)('sequences of several lengths on %s', (device) => {
  it.each([
    ['sgd', options],
    ['sgd, two micro-batches a step', { ...options, accumulate: 2 }],
    ['adamw', { ...options, optimizer: adamw({ lr: 0.01 }) }],
    ['kfac', { ...options, optimizer: kfac({ lr: 0.1, fisher: 'empirical', damping: 0.1 }) }],
  ] as [string, FitOptions][])('train as those padded to the whole, by %s', async (_, given) => {
    const [a, b] = await Promise.all(
      [cut, whole].map((data) => fit(model(), data, { ...given, device })),
    );
    a.history.forEach((epoch, i) => {
      const other = b.history[i];
      expect(epoch.trainLoss).toBeCloseTo(other.trainLoss, 4);
      expect(epoch.testLoss).toBeCloseTo(other.testLoss as number, 4);
      expect(epoch.testAccuracy).toBeCloseTo(other.testAccuracy as number, 2);
    });
    const last = b.model.parameters();
    for (const [name, { data }] of Object.entries(a.model.parameters())) {
      data.forEach((x, i) => {
        expect(Math.abs(x - last[name].data[i]), name).toBeLessThan(1e-5);
      });
    }
    expect(a.history[2].trainLoss).toBeLessThan(a.history[0].trainLoss);
  });

  it('are compiled once for each length and size of batch, however many epochs', async () => {
    const training = new Training(model(), cut, { ...options, device });
    expect([...training.steps.keys()]).toEqual(['4×21', '2×21']);
    for (let epoch = 0; epoch < 4; epoch++) await training.epoch();
    const first = new Set(training.steps.keys());
    for (const name of first) expect(name).toMatch(/^[24]×(3|6|12|21)$/);
    expect(first.size).toBeGreaterThan(4);
  });

  it('go on to the bit where they were stopped', async () => {
    const checkpoint = join(dir, `${device}.safetensors`);
    const all = await fit(model(), cut, { ...options, device });
    const stop = new AbortController();
    const stopped = await fit(model(), cut, {
      ...options,
      device,
      checkpoint,
      signal: stop.signal,
      onStep: ({ step }) => step === 19 && stop.abort(),
    });
    expect(stopped.stopped).toBe('aborted');
    const resumed = await fit(model(), cut, { ...options, device, checkpoint, resume: true });
    expect(resumed.model.parameters()).toEqual(all.model.parameters());
    expect(resumed.history.map(({ trainLoss, metrics }) => [trainLoss, metrics])).toEqual(
      all.history.map(({ trainLoss, metrics }) => [trainLoss, metrics]),
    );
  });

  it('have steps reported in order, and evaluations between', async () => {
    const told: string[] = [];
    await fit(model(), cut, {
      ...options,
      epochs: 1,
      device,
      evaluateEvery: { steps: 5 },
      onStep: ({ step, row }) => {
        told.push(`${step}: ${row}`);
      },
      onEvaluation: ({ step }) => {
        told.push(`evaluated ${step}`);
      },
    });
    const steps = Array.from({ length: 13 }, (_, i) => `${i + 1}: ${Math.min(50, 4 * (i + 1))}`);
    steps.splice(10, 0, 'evaluated 10');
    steps.splice(5, 0, 'evaluated 5');
    expect(told).toEqual(steps);
  });

  it('have the F1 of their predictions, however they are evaluated', async () => {
    const { model: trained, history } = await fit(model(), cut, { ...options, device });
    const { data } = trained.predict(cut.test.inputs.data as Int32Array);
    const tags = (label: (at: number) => number) =>
      Array.from({ length: cut.test.count }, (_, i) => {
        const row = Array.from({ length: STEPS }, (_, t) => i * STEPS + t);
        return row.filter((at) => cut.test.labels[at] !== -1).map((at) => TAGS[label(at)]);
      });
    const best = (at: number) => {
      const logits = [...data.subarray(4 * at, 4 * at + 4)];
      return logits.indexOf(Math.max(...logits));
    };
    const { f1 } = spanF1(
      tags(best),
      tags((at) => cut.test.labels[at]),
    );
    expect(f1).toBeGreaterThan(0.3);
    expect(history[2].metrics?.f1).toBe(f1);
    for (const test of [cut.test, whole.test]) {
      const { metrics } = await trained.evaluate(test, { metrics: [entityF1(TAGS)] });
      expect(metrics.f1).toBe(f1);
    }
  });
});

describe('lengths', () => {
  const fitted = (train: object) => fit(sequential(model()), { train: train as Dataset }, options);

  it.each([
    [{ lengths: [] }, 'FLATMIN_ARGUMENT', /lengths must be a list of numbers of steps, got \[\]/],
    [
      { lengths: [0] },
      'FLATMIN_ARGUMENT',
      /A length of train data must be a whole number of at least 1/,
    ],
    [{ lengths: [2.5] }, 'FLATMIN_ARGUMENT', /got 2.5/],
    [{ lengths: 8 }, 'FLATMIN_ARGUMENT', /got 8/],
  ])('%o are refused', async (more, code, message) => {
    const error = await fitted(sentences(4, more as object)).catch((e) => e);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('are of tokens alone', async () => {
    const numbers = { data: new Float32Array(8), shape: [2] };
    const train = { ...sentences(4, { lengths }), inputs: numbers };
    await expect(fitted(train)).rejects.toThrow(/lengths are for rows of tokens/);
  });

  it('longer than the data are not used', () => {
    const training = new Training(model(), { train: sentences(4, { lengths: [7, 700] }) }, options);
    expect([...training.steps.keys()]).toEqual(['4×21']);
  });
});
