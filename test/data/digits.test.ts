import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { syntheticDigits } from '../../src/data/digits.ts';

const image = (data: ArrayLike<number>, size: number, i: number) =>
  Array.prototype.slice.call(data, i * size * size, (i + 1) * size * size) as number[];

describe('syntheticDigits', () => {
  it('says that it is synthetic', () => {
    const digits = syntheticDigits({ count: 3, seed: 1, split: 'train' });
    expect(digits).toMatchObject({ synthetic: true, classes: 10, count: 3 });
    expect(digits.name).toContain('synthetic');
    expect(digits.inputs.shape).toEqual([1, 28, 28]);
  });

  it('makes example i from (seed, split, i) alone', () => {
    const few = syntheticDigits({ count: 5, seed: 7, split: 'train' });
    const many = syntheticDigits({ count: 50, seed: 7, split: 'train' });
    expect(many.inputs.data.subarray(0, few.inputs.data.length)).toEqual(few.inputs.data);
    expect(many.labels.subarray(0, 5)).toEqual(few.labels);
    const others = [
      syntheticDigits({ count: 50, seed: 8, split: 'train' }),
      syntheticDigits({ count: 50, seed: 7 + 2 ** 32, split: 'train' }),
      syntheticDigits({ count: 50, seed: 7, split: 'test' }),
    ];
    for (const other of others) {
      expect(other.labels).not.toEqual(many.labels);
      for (let i = 0; i < 50; i++) {
        expect(image(other.inputs.data, 28, i)).not.toEqual(image(many.inputs.data, 28, i));
      }
    }
  });

  // Figures published from these digits hold only as long as this sum does.
  it('has not changed', () => {
    const { inputs, labels } = syntheticDigits({ count: 200, seed: 1, split: 'train' });
    const sum = createHash('sha256').update(inputs.data).update(labels).digest('hex');
    expect(sum).toMatchInlineSnapshot(
      `"2410dfcd8e5d51f5660281710da808303962c091c54ef3cd620b5025e8198f2a"`,
    );
  });

  it('draws every class about equally often, with the brightness of MNIST', () => {
    const { inputs, labels } = syntheticDigits({ count: 4000, seed: 2, split: 'train' });
    const counts = new Array(10).fill(0);
    for (const label of labels) counts[label]++;
    // 400 each with a standard deviation of 19.
    expect(Math.min(...counts)).toBeGreaterThan(320);
    expect(Math.max(...counts)).toBeLessThan(480);
    let sum = 0;
    for (const pixel of inputs.data) sum += pixel;
    const mean = sum / inputs.data.length;
    expect(mean / 255).toBeCloseTo(0.1307, 1.5);
  });

  it.each([12, 17, 28, 64])('draws a digit inside a dark frame at %i pixels', (size) => {
    const { inputs } = syntheticDigits({ count: 300, size, seed: 3, split: 'test' });
    let border = 0;
    let centre = 0;
    for (let i = 0; i < 300; i++) {
      const pixels = image(inputs.data, size, i);
      expect(Math.max(...pixels)).toBeGreaterThan(100);
      for (let x = 0; x < size; x++) {
        border += pixels[x] / size;
        centre += pixels[Math.floor(size / 2) * size + x] / size;
      }
    }
    expect(border).toBeLessThan(0.15 * centre);
  });

  // By nearest neighbour among 2,000 digits of another split.
  it('has classes that can be told apart, with some effort', () => {
    const train = syntheticDigits({ count: 2000, size: 14, seed: 4, split: 'train' });
    const test = syntheticDigits({ count: 200, size: 14, seed: 4, split: 'test' });
    const pixels = 14 * 14;
    let right = 0;
    for (let i = 0; i < test.count; i++) {
      let best = Number.POSITIVE_INFINITY;
      let label = -1;
      for (let j = 0; j < train.count; j++) {
        let distance = 0;
        for (let p = 0; p < pixels && distance < best; p++) {
          distance += (test.inputs.data[i * pixels + p] - train.inputs.data[j * pixels + p]) ** 2;
        }
        if (distance < best) {
          best = distance;
          label = train.labels[j];
        }
      }
      if (label === test.labels[i]) right++;
    }
    expect(right / test.count).toBeGreaterThan(0.7);
    expect(right / test.count).toBeLessThan(0.98);
  });

  it('accepts none and refuses arguments out of range', () => {
    expect(syntheticDigits({ count: 0, seed: 0, split: 'train' }).inputs.data).toHaveLength(0);
    const make = (change: object) => () =>
      syntheticDigits({ count: 1, seed: 0, split: 'train', ...change });
    expect(make({ size: 11 })).toThrow('size: expected an integer of 12 … 1024, got 11');
    expect(make({ count: -1 })).toThrow('count: expected an integer');
    expect(make({ seed: 0.5 })).toThrow('seed: expected an integer');
    expect(make({ split: 'dev' })).toThrow(`split: expected 'train' or 'test', got 'dev'`);
  });
});
