/** Layers that augment images: what they draw in each pass of a step, and that evaluation sees images as they are. */
import { describe, expect, it } from 'vitest';
import {
  describeModel,
  flatten,
  type Layer,
  layerNorm,
  linear,
  randomCrop2d,
  randomFlip,
  rmsNorm,
  sam,
  sequential,
  sgd,
  trainStep,
} from '../../src/index.ts';
import { cropped, flipped, moved } from '../conformance/cases/augment.ts';
import { random } from '../conformance/data.ts';
import { devices } from '../optim/devices.ts';

const IMAGE = [2, 5, 6];
const [BATCH, SIZE, SEED] = [4, 60, 77];
const shape = [BATCH, ...IMAGE];
const images = random(BATCH * SIZE, { seed: 2 });
const labels = Int32Array.of(0, 2, 1, 1);

const METHODS = { sgd: () => sgd({ lr: 0.1 }), sam: () => sam(sgd({ lr: 0.1 }), { rho: 0.5 }) };

describe.each(devices)('augmentation on $title', ({ device, missing }) => {
  /** Names of parameters differ by the layers before. */
  const stepOf = (model: Layer, method: keyof typeof METHODS) =>
    trainStep(model, {
      input: IMAGE,
      batch: BATCH,
      optimizer: METHODS[method](),
      seed: SEED,
      device,
    });
  const head = () => sequential({ flat: flatten(), out: linear(3) });
  const augmented = () =>
    sequential({
      crop: randomCrop2d([2, 1], { value: 0.5 }),
      flip: randomFlip(),
      flat: flatten(),
      out: linear(3),
    });

  describe.each(Object.keys(METHODS) as (keyof typeof METHODS)[])('by %s', (method) => {
    it.skipIf(missing !== null)(
      'trains as on images that are augmented beforehand, in all passes the same',
      () => {
        const [own, plain] = [stepOf(augmented(), method), stepOf(head(), method)];
        plain.loadStateDict(plain.stateDict());
        for (let step = 1; step <= 3; step++) {
          const moment = { step, epoch: 0, seed: SEED, offset: 0 };
          const crops = moved(Float64Array.from(images), shape, [moment, 0], cropped([2, 1]), 0.5);
          const inputs = moved(Float64Array.from(crops), shape, [moment, 1], flipped(0.5), 0);
          const loss = own(images, labels);
          expect(plain(Float32Array.from(inputs), labels)).toBeCloseTo(loss, 6);
        }
        const [a, b] = [own.model.parameters(), plain.model.parameters()];
        expect(Object.keys(a)).toEqual(Object.keys(b));
        a['out.weight'].data.forEach((w, i) => {
          expect(w).toBeCloseTo(b['out.weight'].data[i], 6);
        });
      },
    );
  });

  it.skipIf(missing !== null)('leaves images of an evaluation alone', () => {
    const [own, plain] = [stepOf(augmented(), 'sgd'), stepOf(head(), 'sgd')];
    expect(own.model.predict(images).data).toEqual(plain.model.predict(images).data);
  });
});

describe('layers of augmentation and normalisation', () => {
  it('have the parameters of PyTorch', () => {
    const names = (layer: Layer) =>
      describeModel(layer, { dtype: 'f32', shape: [2, 3, 4] }).params.map(
        ({ name, shape }) => `${name} [${shape}]`,
      );
    expect(names(layerNorm())).toEqual(['weight [4]', 'bias [4]']);
    expect(names(layerNorm({ bias: false, dims: 2 }))).toEqual(['weight [3,4]']);
    expect(names(rmsNorm())).toEqual(['weight [4]']);
  });

  it.each([
    [() => layerNorm({ eps: 0 }), 'layerNorm expects eps to be a finite number above 0, got 0'],
    [() => randomFlip(1.5), 'p of randomFlip must be a number from 0 to 1, got 1.5'],
    [() => randomCrop2d(-1), 'randomCrop2d expects padding to be a whole number from 0 on'],
    [
      () => describeModel(randomFlip(), { dtype: 'f32', shape: [2, 3] }),
      'Augmentation expects images u8 or f32 [n, c, h, w], got f32[2, 3]',
    ],
    [() => describeModel(layerNorm({ dims: 3 }), { dtype: 'f32', shape: [2, 3] }), 'layerNorm'],
  ])('%# refuse what does not fit', (make, message) => {
    expect(make).toThrow(message);
  });
});
