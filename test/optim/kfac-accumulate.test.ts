/** K-FAC's statistics of a step's whole batch, in micro-batches, and of batches in which nothing counts. */
import { describe, expect, it } from 'vitest';
import {
  type Dataset,
  embedding,
  type KfacOptions,
  kfac,
  type Layer,
  linear,
  lstm,
  sequential,
  tokenCrossEntropy,
  trainStep,
} from '../../src/index.ts';
import { uniforms } from '../../src/random/philox.ts';
import { Training, type TrainingOptions } from '../../src/train/training.ts';
import { devices } from './devices.ts';
import { images, model, wholeSet } from './small-network.ts';
import { bytesOf } from './tensors.ts';

const [VOCABULARY, CLASSES, STEPS] = [6, 3, 5];
/** Of the labels; the third row has none, and all have tokens. */
const LENGTHS = [5, 2, 0, 1, 4];

const tagger = (): Layer =>
  sequential({ words: embedding(VOCABULARY, 3), lstm: lstm(2), head: linear(CLASSES) });

const draw = (stream: number, below: number) =>
  uniforms({ seed: 3, stream, step: 0 }, LENGTHS.length * STEPS).map((u) => Math.floor(u * below));

const sentences: Dataset = {
  name: 'sentences',
  synthetic: true,
  inputs: { data: Int32Array.from(draw(0, VOCABULARY)), shape: [STEPS] },
  labels: Int32Array.from(draw(1, CLASSES), (label, at) =>
    at % STEPS < LENGTHS[Math.floor(at / STEPS)] ? label : -1,
  ),
  labelShape: [STEPS],
  classes: CLASSES,
  count: LENGTHS.length,
};

describe.each(devices)('kfac on $title', ({ device, missing }) => {
  const subject = (make: () => Layer, train: Dataset, given: Partial<TrainingOptions>) => {
    return (options: KfacOptions, accumulate: number) =>
      new Training(
        make(),
        { train },
        { ...wholeSet(device, options), batch: train.count, ...given, accumulate },
      );
  };
  const subjects = {
    images: subject(model, images(), {}),
    sentences: subject(tagger, sentences, { loss: tokenCrossEntropy() }),
  };

  describe.skipIf(missing !== null)('has statistics of the whole batch', () => {
    it.each([
      ['images', 'empirical', 3],
      ['images', 'exact', 3],
      ['images', 'empirical', 8],
      ['sentences', 'empirical', 2],
      ['sentences', 'exact', 5],
    ] as const)('of %s in micro-batches, fisher %s, accumulate %i', async (name, fisher, parts) => {
      const options: KfacOptions = { lr: 0.05, damping: 0.1, fisher, blockSize: 8 };
      const frequent = { ...options, statisticsEvery: 2, inversesEvery: 2 };
      const [whole, cut] = [1, parts].map((accumulate) => subjects[name](frequent, accumulate));
      for (let step = 0; step < 4; step++) {
        await whole.epoch();
        await cut.epoch();
        const [wanted, got] = [whole, cut].map((training) => training.stateDict());
        expect(Object.keys(got)).toEqual(Object.keys(wanted));
        for (const [key, { data }] of Object.entries(wanted)) {
          const largest = Math.max(...Array.from(data, Math.abs), 1e-3);
          data.forEach((x, i) => {
            const error = Math.abs(got[key].data[i] - x) / largest;
            expect(error, `${key}[${i}] after step ${step + 1}`).toBeLessThan(2e-4);
          });
        }
      }
    });

    it('that is drawn, in other micro-batches than the first too', async () => {
      const [whole, cut] = [1, 2].map((accumulate) =>
        subjects.images({ lr: 0.05, fisher: 'true' }, accumulate),
      );
      await whole.epoch();
      await cut.epoch();
      const [wanted, got] = [whole, cut].map((training) => training.stateDict());
      // A does not depend on labels.
      for (const key of Object.keys(wanted).filter((key) => /\ba\//.test(key))) {
        wanted[key].data.forEach((x, i) => {
          expect(Math.abs(got[key].data[i] - x)).toBeLessThan(1e-5);
        });
      }
    });
  });

  describe.skipIf(missing !== null)('leaves out a batch in which nothing counts', () => {
    const [inputs, labels] = [sentences.inputs.data as Int32Array, sentences.labels as Int32Array];
    const nothing = new Int32Array(labels.length).fill(-1);
    const start = (form: 'inverse' | 'eigen') =>
      trainStep(tagger(), {
        input: [STEPS],
        inputType: 'i32',
        batch: LENGTHS.length,
        loss: tokenCrossEntropy(),
        seed: 1,
        device,
        optimizer: kfac({
          ...{ lr: 0.1, damping: 0.1, fisher: 'empirical', form },
          ...{ statisticsEvery: 1, inversesEvery: 1 },
        }),
      });

    it.each(['inverse', 'eigen'] as const)('as the first one, %s', (form) => {
      const [plain, after] = [start(form), start(form)];
      after(inputs, nothing);
      for (const step of [plain, after]) step(inputs, labels);
      expect(bytesOf(after.model.parameters())).toBe(bytesOf(plain.model.parameters()));
    });

    it('as a later one', () => {
      const step = start('inverse');
      step(inputs, labels);
      step(inputs, labels);
      const statistics = () =>
        JSON.stringify(Object.entries(step.stateDict()).filter(([key]) => /\b[ag]\//.test(key)));
      const [before, params] = [statistics(), bytesOf(step.model.parameters())];
      step(inputs, nothing);
      expect(statistics()).toBe(before);
      expect(bytesOf(step.model.parameters())).toBe(params);
      step(inputs, labels);
      expect(statistics()).not.toBe(before);
    });
  });
});
