import { expect, it } from 'vitest';
import { binaryCrossEntropy, dataset, fit, linear, sgd } from '../../src/index.ts';

it('takes nested lists', () => {
  expect(
    dataset({
      inputs: [
        [0, 1],
        [2, 3],
        [4, 5],
      ],
      labels: [0, 2, 1],
    }),
  ).toEqual({
    name: 'data',
    synthetic: false,
    count: 3,
    inputs: { data: Float32Array.of(0, 1, 2, 3, 4, 5), shape: [2] },
    labels: Int32Array.of(0, 2, 1),
    classes: 3,
  });
  const images = dataset({
    inputs: [
      [
        [
          [1, 2],
          [3, 4],
        ],
      ],
      [
        [
          [5, 6],
          [7, 8],
        ],
      ],
    ],
    labels: [0, 0],
    classes: 4,
  });
  expect(images.inputs).toEqual({
    data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8),
    shape: [1, 2, 2],
  });
  expect(images.classes).toBe(4);
});

it('takes typed arrays as they are', () => {
  const [inputs, labels] = [new Uint8Array(12), Uint8Array.of(0, 1, 1)];
  const made = dataset({ inputs, labels, name: 'bytes', synthetic: true });
  expect(made.inputs).toEqual({ data: inputs, shape: [4] });
  expect(made.inputs.data).toBe(inputs);
  expect(made.labels).toBe(labels);
  expect(made.labelShape).toBeUndefined();
  expect(made.name).toBe('bytes');
  expect(dataset({ inputs: { data: inputs, shape: [1, 2, 2] }, labels }).inputs.shape).toEqual([
    1, 2, 2,
  ]);
  const tokens = dataset({
    inputs: [Int32Array.of(3, 1, -1), Int32Array.of(0, 2, 2)],
    labels: [
      [0, 1, -1],
      [1, 0, 0],
    ],
  });
  expect(tokens.inputs).toEqual({ data: Int32Array.of(3, 1, -1, 0, 2, 2), shape: [3] });
  expect(tokens.labelShape).toEqual([3]);
  expect(tokens.classes).toBe(2);
});

it('takes numbers to predict', () => {
  const inputs = [
    [1, 2],
    [3, 4],
  ];
  expect(dataset({ inputs, targets: [5, 6] }).targets).toEqual({
    data: Float32Array.of(5, 6),
    shape: [1],
  });
  expect(
    dataset({
      inputs,
      targets: [
        [5, 6, 7],
        [8, 9, 0],
      ],
    }).targets.shape,
  ).toEqual([3]);
  const flat = dataset({ inputs: new Float64Array(6), targets: new Float32Array(4), count: 2 });
  expect([flat.inputs.shape, flat.targets.shape]).toEqual([[3], [2]]);
  expect(dataset({ inputs, targets: [1, 2], weights: [1, 0.5] }).weights).toEqual(
    Float32Array.of(1, 0.5),
  );
});

it.each([
  [
    { inputs: [[1, 2], [3]], labels: [0, 1] },
    'inputs of dataset, example 1: expected 2 entries, as the first has, got 1. Help: pad rows to one length.',
  ],
  [
    { inputs: [[1, 2], 'x'], labels: [0, 1] },
    "inputs of dataset, example 1: expected 2 entries, as the first has, got 'x'",
  ],
  [
    { inputs: [[1, 'a']], labels: [0] },
    "Every number in inputs of dataset must be a number, got 'a'",
  ],
  [{ inputs: [[1], [2]], labels: [0, 1, 1] }, 'dataset: 2 examples do not share 3 labels evenly'],
  [
    { inputs: [[1]], labels: [0.5] },
    'Every label of dataset must be a whole number, the index of its class, got 0.5. Help: numbers to predict are targets.',
  ],
  [{ inputs: [[1]], labels: ['cat'] }, 'labels of dataset, example 0'],
  [{ inputs: [[1]] }, 'dataset must be given either labels or targets'],
  [{ inputs: [[1]], label: [0] }, 'dataset: Unknown option "label"; did you mean "labels"?'],
  [
    { inputs: 'rows', labels: [0] },
    'inputs of dataset must be numbers: nested lists, a typed array, or { data, shape }',
  ],
])('refuses %j', (options, message) => {
  expect(() => dataset(options as never)).toThrow(message);
});

it('trains as it comes', async () => {
  const inputs = [
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ];
  const train = dataset({ inputs, targets: [0, 1, 1, 1] });
  const options = { optimizer: sgd({ lr: 2 }), loss: binaryCrossEntropy(), epochs: 100, batch: 4 };
  const { model } = await fit(linear(1), { train }, options);
  expect([...model.predict(Float32Array.from(inputs.flat())).data].map((x) => x > 0)).toEqual([
    false,
    true,
    true,
    true,
  ]);
});
