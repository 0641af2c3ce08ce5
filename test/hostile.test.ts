/** Every export, called with what it does not take: a `FlatminError` or a result, never another error. */
import { describe, expect, it } from 'vitest';
import * as flatmin from '../src/index.ts';
import { present } from './optim/devices.ts';

const { FlatminError, fit, linear, ops, sgd, trainStep } = flatmin;

const GARBAGE: readonly unknown[] = [
  undefined,
  null,
  0,
  -1,
  1.5,
  NaN,
  Infinity,
  1n,
  true,
  '',
  'adam',
  Symbol('s'),
  {},
  { axes: [0] },
  [],
  [1, 2],
  [null],
  new Float32Array(3),
  new Float64Array(3),
  new Int32Array(3),
  new Uint8Array(0),
  new Map(),
  new Date(0),
  /x/,
  () => undefined,
];

/** Calls with one argument of each kind, with two, three and four of them, and with a good beginning. */
function* calls(good: readonly unknown[]): Generator<readonly unknown[]> {
  yield [];
  for (const [i, a] of GARBAGE.entries()) {
    const b = GARBAGE[(i * 7 + 3) % GARBAGE.length];
    yield [a];
    yield [a, a];
    yield [a, b];
    yield [b, a, a];
    yield [a, b, a, b];
    good.forEach((_, at) => {
      yieldable.push([...good.slice(0, at), a, ...good.slice(at + 1)]);
    });
    while (yieldable.length > 0) yield yieldable.pop() as unknown[];
  }
}
const yieldable: unknown[][] = [];

async function settles(call: () => unknown): Promise<unknown> {
  try {
    await call();
    return undefined;
  } catch (error) {
    return error instanceof FlatminError ? undefined : error;
  }
}

const points = {
  name: 'points',
  synthetic: true,
  inputs: { data: new Float32Array(6), shape: [3] },
  labels: Int32Array.of(0, 1),
  classes: 2,
  count: 2,
};
const matrix = () => ({ data: Float32Array.of(2, 1, 1, 2), shape: [2, 2] });
const lr = 0.1;
/** Arguments that work, each of which is replaced in turn. */
const GOOD: Readonly<Record<string, readonly unknown[]>> = {
  fit: [linear(2), { train: points }, { optimizer: sgd({ lr }), epochs: 0 }],
  trainStep: [linear(2), { optimizer: sgd({ lr }), input: [3] }],
  describeModel: [linear(2), { dtype: 'f32', shape: [1, 3] }],
  loadModel: [linear(2), '/nowhere', { input: [3] }],
  mlp: [{ out: 2 }],
  resnet18: [{ width: 2 }],
  lstmTagger: [{ vocabulary: 3, tags: 2 }],
  gpt: [{ vocabulary: 3, context: 2, layers: 1, heads: 1, width: 2 }],
  residual: [linear(2), linear(2)],
  linear: [2, {}],
  conv2d: [2, 3, {}],
  gelu: [{}],
  layerNorm: [{}],
  rmsNorm: [{}],
  multiHeadAttention: [2, {}],
  causalSelfAttention: [2, {}],
  randomCrop2d: [2, {}],
  summary: [linear(2), [3]],
  huber: [{ delta: 1 }],
  dataset: [{ inputs: [[1, 2]], labels: [0] }],
  crossEntropy: [{}],
  tokenCrossEntropy: [{}],
  embedding: [2, 3],
  rnn: [2, {}],
  lstm: [2, {}],
  maxPool2d: [2, {}],
  avgPool2d: [2, {}],
  cosine: [1, { epochs: 2 }],
  warmRestarts: [1, { epochs: 2 }],
  stepDecay: [1, { epochs: 2 }],
  warmup: [1, { epochs: 2 }],
  eigh: [matrix(), {}],
  inverseRoot: [matrix(), { p: 2 }],
  orthogonalize: [matrix(), {}],
  sam: [sgd({ lr }), {}],
  clip: [sgd({ lr }), { norm: 1 }],
  syntheticDigits: [{ count: 1, seed: 0, split: 'train' }],
  loadMnist: ['/nowhere', 'train', {}],
  tokenWindows: [Int32Array.of(0, 1), { context: 1, vocabulary: 2, name: 'two' }],
  writeTokens: [{ predictAsync: () => undefined }, Int32Array.of(0), { count: 1, context: 1 }],
  groups: [{ w: matrix() }, [{ optimizer: sgd({ lr }) }], {}],
  muonWithAdamW: [
    { a: matrix(), w: matrix() },
    { muon: { lr }, adamw: { lr } },
  ],
};

const functions = Object.entries(flatmin).filter(
  ([, value]) => typeof value === 'function' && !/^class/.test(String(value)),
) as [string, (...given: unknown[]) => unknown][];

describe('every export', () => {
  it.each(functions)('%s', async (name, call) => {
    const method = { optimizer: undefined, params: [{ w: matrix() }, { lr }] };
    const good = GOOD[name] ?? (name in METHODS ? method.params : []);
    for (const given of calls(good)) {
      expect(await settles(() => call(...given))).toBeUndefined();
    }
  });

  it.each(Object.entries(ops) as [string, (...given: unknown[]) => unknown][])(
    'ops.%s',
    async (_, call) => {
      const step = (layer: (x: flatmin.Value) => unknown) =>
        flatmin.describeModel(
          (x) => {
            layer(x);
            return x;
          },
          { dtype: 'f32', shape: [2, 3] },
        );
      for (const given of calls([])) {
        expect(await settles(() => call(...given))).toBeUndefined();
        expect(await settles(() => step((x) => call(x, ...given)))).toBeUndefined();
        expect(await settles(() => step((x) => call(x, x, ...given)))).toBeUndefined();
      }
    },
  );
});

const METHODS = Object.fromEntries(
  ['adagrad', 'adam', 'adamw', 'enim', 'kfac', 'lion', 'lionK', 'muon', 'normDescent', 'rmsprop']
    .concat(['sgd', 'shampoo', 'soap'])
    .map((name) => [name, true]),
);

describe.each(present)('what exports return on %s', (device) => {
  const objects = async () => {
    const optimizer = sgd({ lr });
    const step = trainStep(linear(2), { optimizer, input: [3], batch: 2, device });
    const { model } = await fit(linear(2), { train: points }, { optimizer, epochs: 1, device });
    const bound = sgd({ w: matrix() }, { lr, device });
    const kfac = flatmin.kfac({ 'fc.weight': matrix() }, { lr, device });
    return { step, model, bound, kfac };
  };

  it('takes no garbage either', async () => {
    const { step, model, bound, kfac } = await objects();
    const all: [string, (...given: never[]) => unknown][] = [
      ['step', step],
      ['async', step.async],
      ['loadStateDict', step.loadStateDict],
      ['predict', model.predict.bind(model)],
      ['predictAsync', model.predictAsync.bind(model)],
      ['load', model.loadStateDict.bind(model)],
      ['evaluate', model.evaluate.bind(model)],
      ['evaluate by', (options: never) => model.evaluate(points, options)],
      ['save as', (options: never) => model.save('/nowhere/model', options)],
      ['bound.step', bound.step.bind(bound)],
      ['stepAsync', bound.stepAsync.bind(bound)],
      ['bound.loadStateDict', bound.loadStateDict.bind(bound)],
      ['observe', kfac.observe.bind(kfac)],
      ['kfac.step', kfac.step.bind(kfac)],
    ];
    for (const [name, call] of all) {
      for (const given of calls([])) {
        const error = await settles(() => call(...(given as never[])));
        expect(error, `${name} of ${flatmin.ops && given.length}`).toBeUndefined();
      }
    }
    step(new Float32Array(6), Int32Array.of(0, 1));
  });

  it('nor do the options of fit', async () => {
    const good = { optimizer: sgd({ lr }), epochs: 1, device };
    const inner = { earlyStopping: ['metric', 'mode', 'patience', 'minDelta', 'restoreBest'] };
    for (const value of GARBAGE) {
      const given = [
        ...['from', 'frozen', 'divergence', 'earlyStopping', 'signal', 'onEpoch'].map((name) => ({
          [name]: value,
        })),
        { frozen: [value] },
        { from: { weight: value, bias: value } },
        ...inner.earlyStopping.map((name) => ({ earlyStopping: { [name]: value } })),
      ];
      for (const own of given) {
        const call = () =>
          fit(linear(2), { train: points, test: points }, { ...good, ...own } as never);
        expect(await settles(call), Object.keys(own)[0]).toBeUndefined();
      }
    }
  });
});

/** The first line of what a call throws. */
async function said(call: () => unknown): Promise<string> {
  const error = await Promise.resolve()
    .then(call)
    .catch((error: unknown) => error);
  expect(error).toBeInstanceOf(FlatminError);
  return (error as Error).message;
}

it('unknown options are answered with the nearest name, everywhere', async () => {
  const optimizer = sgd({ lr });
  const messages = [
    () => fit(linear(2), { train: points }, { optimizer, epochs: 1, batchSize: 2 } as never),
    () => fit(linear(2), { train: points, validation: points } as never, { optimizer, epochs: 1 }),
    () => trainStep(linear(2), { optimizer, input: [3], batchsize: 2 } as never),
    () => trainStep(linear(2), { optimizer, input: [3], accumulate: 2 } as never),
    () => linear(2, { biass: false } as never),
    () => flatmin.conv2d(2, 3, { strides: 2 } as never),
    () => flatmin.batchNorm({ epsilon: 1 } as never),
    () => flatmin.maxPool2d(2, { pad: 1 } as never),
    () => flatmin.cosine(1, { epoch: 3 } as never),
    () => flatmin.warmup(1, { step: 3 } as never),
    () => flatmin.syntheticDigits({ count: 1, seed: 0, split: 'train', sise: 28 } as never),
    () => flatmin.loadMnist('.', 'train', { padding: 2 } as never),
    () =>
      flatmin.describeModel((x) => ops.sum(x, [0], { keepdims: true } as never), {
        dtype: 'f32',
        shape: [2],
      }),
  ].map(said);
  expect(await Promise.all(messages)).toMatchInlineSnapshot(`
    [
      "fit: Unknown option "batchSize"; did you mean "batch"?",
      "The data of fit: Unknown option "validation"; there are train, test",
      "trainStep: Unknown option "batchsize"; did you mean "batch"?",
      "trainStep: Unknown option "accumulate"; there are optimizer, loss, batch, seed, device, threads, frozen, onNonFinite, precision, input, inputType",
      "linear: Unknown option "biass"; did you mean "bias"?",
      "conv2d: Unknown option "strides"; did you mean "stride"?",
      "batchNorm: Unknown option "epsilon"; did you mean "eps"?",
      "maxPool2d: Unknown option "pad"; did you mean "padding"?",
      "cosine: Unknown option "epoch"; did you mean "epochs"?",
      "warmup: Unknown option "step"; did you mean "steps"?",
      "syntheticDigits: Unknown option "sise"; did you mean "size"?",
      "loadMnist: Unknown option "padding"; did you mean "pad"?",
      "sum: Unknown option "keepdims"; did you mean "keepDims"?",
    ]
  `);
});

it('wrong kinds of things are answered with what was expected', async () => {
  const optimizer = sgd({ lr });
  const options = { optimizer, epochs: 1 };
  const { count: _, ...counted } = points;
  const messages = [
    () => fit(linear(2), { train: points }, { ...options, optimizer: 'adam' as never }),
    () => fit(linear(2), { train: points }, { ...options, loss: 'mse' as never }),
    () => fit(linear(2), { train: counted as never }, options),
    () => fit(linear(2), { train: { ...points, inputs: [1, 2] as never } }, options),
    () => fit(linear(2), { train: { ...points, labels: [0, 1] as never } }, options),
    () => fit(flatmin.relu as never, { train: points }, options),
    () => trainStep('lenet' as never, { optimizer, input: [3] }),
    () => trainStep(linear(2), { optimizer, input: 3 as never }),
    () =>
      flatmin.describeModel((x) => ops.sum(x, { axes: [0] } as never), {
        dtype: 'f32',
        shape: [2],
      }),
    () => ops.relu(5 as never),
  ].map(said);
  expect(await Promise.all(messages)).toMatchInlineSnapshot(`
    [
      "optimizer must be an optimizer, got 'adam'. Help: adamw({ lr: 0.001 }).",
      "loss must be a loss, got 'mse'. Help: crossEntropy() or squaredError().",
      "train data: count must be a whole number of at least 0, got undefined",
      "train data: inputs must be { data, shape } with data of Uint8Array, Float32Array, Int32Array, got [ 1, 2 ]",
      "train data: labels must be a Uint8Array or an Int32Array, got [ 0, 1 ]",
      "What the model returns must be a traced value, got relu(). Help: a layer is what linear(10) or relu() returns.",
      "The model must be a layer, got 'lenet'. Help: a layer is what linear(10) or relu() returns.",
      "The shape of input must be a list of whole numbers, got 3",
      "The axes of sum must be a list of whole numbers, got { axes: [ 0 ] }. Help: ops.sum(x, [0]).",
      "relu expects traced values, as layers and losses are given, got 5",
    ]
  `);
});
