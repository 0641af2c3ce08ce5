import { describe, expect, it } from 'vitest';
import { syntheticImages } from '../../src/data/synthetic-images.ts';
import { describeModel, fit, sgd } from '../../src/index.ts';
import { images } from '../../src/tasks/images.ts';

describe('images', () => {
  it('are drawn alike however many there are, differently for each split', () => {
    const { train, test } = images.load({ examples: 5, testExamples: 3 }).data;
    expect(train).toMatchObject({ count: 5, synthetic: true, inputs: { shape: [3, 32, 32] } });
    const fewer = syntheticImages({ split: 'train', count: 2 });
    expect(train.inputs.data.subarray(0, 2 * 3072)).toEqual(fewer.inputs.data);
    const held = images.load({ examples: 5, testExamples: 3, validation: true });
    expect(held.final).toEqual(test);
    expect(held.data.test.inputs.data).not.toEqual(test.inputs.data);
  });

  it('go to the ResNet-18 of the published size, or a narrower one', () => {
    const size = (width?: number) =>
      describeModel(images.load({ examples: 1, testExamples: 1, width }).model, {
        dtype: 'f32',
        shape: [1, 3, 32, 32],
      }).params.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    expect(size()).toBe(11_173_962);
    expect(size(16)).toBe(701_466);
  });

  it('are changed at random in training alone where that is asked for', async () => {
    const trained = (augment: boolean) => {
      const { model, data } = images.load({ examples: 8, testExamples: 4, width: 2, augment });
      const options = { optimizer: sgd({ lr: 0.1 }), batch: 8, epochs: 1, device: 'js' } as const;
      return fit(model, { train: data.train }, options).then((fitted) => ({ ...fitted, data }));
    };
    const [plain, augmented, again] = [
      await trained(false),
      await trained(true),
      await trained(true),
    ];
    const names = ({ model }: typeof plain) => Object.keys(model.parameters());
    expect(names(augmented)).toEqual(names(plain));
    const [a, b, c] = [plain, augmented, again].map(({ history }) => history[0].trainLoss);
    expect(b).not.toBe(a);
    expect(c).toBe(b);
    const inputs = augmented.data.test.inputs.data.slice(0, 3072) as Uint8Array;
    const answer = () => augmented.model.predict(inputs).data;
    expect(answer()).toEqual(answer());
  });
});
