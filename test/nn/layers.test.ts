import { describe, expect, it } from 'vitest';
import { JsStore } from '../../src/backend/js/store.ts';
import { describeModel, type Layer } from '../../src/nn/layer.ts';
import {
  avgPool2d,
  conv2d,
  dropout,
  flatten,
  linear,
  maxPool2d,
  relu,
} from '../../src/nn/layers/index.ts';
import { lenet5 } from '../../src/nn/models.ts';
import { sequential } from '../../src/nn/sequential.ts';
import { initialise } from '../../src/step/initialise.ts';

const images = (...shape: number[]) => ({ dtype: 'f32' as const, shape });

describe('models', () => {
  it('LeNet-5 has its 61,706 parameters', () => {
    const { params, output } = describeModel(lenet5(), images(7, 1, 32, 32));
    expect(output).toEqual({ dtype: 'f32', shape: [7, 10] });
    expect(params.map(({ name, shape }) => `${name} ${shape.join('×')}`)).toEqual([
      'conv1.weight 6×1×5×5',
      'conv1.bias 6',
      'conv2.weight 16×6×5×5',
      'conv2.bias 16',
      'conv3.weight 120×16×5×5',
      'conv3.bias 120',
      'fc1.weight 84×120',
      'fc1.bias 84',
      'fc2.weight 10×84',
      'fc2.bias 10',
    ]);
    const total = params.reduce((n, { shape }) => n + shape.reduce((a, b) => a * b, 1), 0);
    expect(total).toBe(61706);
  });

  it('infers shapes through strides, padding, groups and pools', () => {
    const model = sequential(
      conv2d(8, 3, { stride: 2, padding: 1 }),
      relu(),
      conv2d(8, [1, 3], { groups: 4, bias: false }),
      avgPool2d(2),
      dropout(0.5),
      flatten(),
      linear(3),
    );
    const { params, output } = describeModel(model, images(2, 4, 9, 13));
    expect(output.shape).toEqual([2, 3]);
    expect(params.map((p) => p.shape)).toEqual([
      [8, 4, 3, 3],
      [8],
      [8, 2, 1, 3],
      [3, 8 * 2 * 2],
      [3],
    ]);
  });

  it('errors name the layer', () => {
    const model = sequential({
      features: sequential({ conv1: conv2d(6, 5), conv2: conv2d(16, 5) }),
      head: linear(10),
    });
    expect(() => describeModel(model, images(2, 1, 8, 8))).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: Layer "features.conv2: conv2d(16, 5×5)": conv2d with a kernel of 5×5 does not fit an image of 4×4]`,
    );
    const flat = sequential(linear(5), maxPool2d(2));
    expect(() => describeModel(flat, images(2, 8))).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: Layer "1: maxPool2d(2)": maxPool2d expects images f32[·, ·, ·, ·], got f32[2, 5]]`,
    );
  });

  it('refuses sizes that are no sizes', () => {
    expect(() => linear(0)).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: linear expects out to be a whole number of at least 1, got 0]`,
    );
    expect(() => conv2d(4, 2.5)).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: conv2d expects the kernel to be a whole number of at least 1, got 2.5]`,
    );
  });
});

describe('sequential', () => {
  const names = (model: ReturnType<typeof sequential>) =>
    describeModel(model, images(2, 3)).params.map(({ name }) => name);

  it('keeps the order of a record, and takes a list', () => {
    expect(
      names(sequential({ z: linear(20, { bias: false }), a: linear(3, { bias: false }) })),
    ).toEqual(['z.weight', 'a.weight']);
    expect(names(sequential([linear(2)] as never))).toEqual(['0.weight', '0.bias']);
  });

  it.each<Record<string, Layer>>([
    { 20: linear(20), 3: linear(3) },
    { 0: linear(2) },
    { a: linear(2), 7: linear(3) },
  ])('refuses names that JavaScript would put in an order of its own, %#', (layers) => {
    expect(() => sequential(layers)).toThrow(
      /cannot keep the order of layers that whole numbers name/,
    );
  });

  it('refuses what is no layer', () => {
    for (const layers of [[undefined], [null], [5], [relu, null], [{ a: 'relu' }], [{ a: {} }]]) {
      expect(() => sequential(...(layers as never[]))).toThrow(/must be a layer/);
    }
  });
});

describe('initialisation', () => {
  it('is U(±1/√fan_in), other for every parameter and seed', () => {
    const { params } = describeModel(lenet5(), images(1, 1, 32, 32));
    const bounds: Record<string, number> = {
      'conv1.weight': 1 / 5,
      'conv2.bias': 1 / Math.sqrt(150),
      'conv3.weight': 1 / 20,
      'fc2.weight': 1 / Math.sqrt(84),
    };
    const draw = (index: number, seed: number) => {
      const store = new JsStore();
      const tensors = params.map(({ name, init }) => ({ key: name, init }));
      for (const { key } of tensors) store.declare(key, { dtype: 'f32', shape: [4000] });
      initialise(store, tensors, seed);
      return store.read(params[index].name);
    };
    params.forEach(({ name }, index) => {
      if (!(name in bounds)) return;
      const data = draw(index, 1);
      expect(Math.max(...data)).toBeLessThanOrEqual(bounds[name]);
      expect(Math.max(...data)).toBeGreaterThan(0.99 * bounds[name]);
      expect(Math.min(...data)).toBeLessThan(-0.99 * bounds[name]);
    });
    expect(draw(0, 1)).toEqual(draw(0, 1));
    expect(draw(0, 1)).not.toEqual(draw(0, 2));
    expect(draw(0, 1)).not.toEqual(draw(1, 1));
  });
});
