/** Every function that takes options, asked with one that there is not: it is refused, and the nearest name is told. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import * as flatmin from '../src/index.ts';

const { fit, FlatminError, linear, ops, sgd, trainStep } = flatmin;

const lr = 0.1;
const optimizer = sgd({ lr });
const points = flatmin.dataset({
  inputs: [
    [1, 2, 3],
    [4, 5, 6],
  ],
  labels: [0, 1],
});
const matrix = () => ({ data: Float32Array.of(2, 1, 1, 2), shape: [2, 2] });
const table = join(mkdtempSync(join(tmpdir(), 'flatmin-options-')), 'table.csv');
writeFileSync(table, 'a\n1\n');
afterAll(() => rmSync(dirname(table), { recursive: true }));
const space = { lr: [0.1] };
const choice = { by: 'loss', best: 'min' } as const;

/** Calls with an option whose name lacks its last letter, and the name that is meant. */
type Case = readonly [call: (option: object) => unknown, meant: string];
const given =
  <F extends (...all: never[]) => unknown>(call: F, ...first: unknown[]) =>
  (option: object) =>
    (call as unknown as (...all: unknown[]) => unknown)(...first, option);
/** The last argument with its other options. */
const beside =
  <F extends (...all: never[]) => unknown>(call: F, others: object, ...first: unknown[]) =>
  (option: object) =>
    given(call, ...first)({ ...others, ...option });

const methods = { ...flatmin };
const METHODS = ['adadelta', 'adagrad', 'adam', 'adamw', 'enim', 'kfac', 'lion', 'lionK', 'muon']
  .concat(['normDescent', 'rmsprop', 'sgd', 'shampoo', 'soap'])
  .filter((name) => name in flatmin) as 'sgd'[];

const CASES: Readonly<Record<string, Case>> = {
  backend: [given(flatmin.backend), 'threads'],
  parseCsv: [given(flatmin.parseCsv, 'a\n1'), 'delimiter'],
  readCsv: [given(flatmin.readCsv, table), 'delimiter'],
  syntheticDigits: [beside(flatmin.syntheticDigits, { count: 1, seed: 0, split: 'train' }), 'size'],
  dataset: [beside(flatmin.dataset, { inputs: [[1]], labels: [0] }), 'synthetic'],
  loadMnist: [given(flatmin.loadMnist, '/nowhere', 'train'), 'pad'],
  splitRows: [beside(flatmin.splitRows, { seed: 0 }, 4), 'validation'],
  tokenWindows: [
    beside(flatmin.tokenWindows, { context: 1, vocabulary: 2, name: 'two' }, Int32Array.of(0, 1)),
    'stride',
  ],
  fit: [beside(fit, { optimizer, epochs: 0 }, linear(2), { train: points }), 'batch'],
  eigh: [given(flatmin.eigh, matrix()), 'threads'],
  inverseRoot: [beside(flatmin.inverseRoot, { p: 2 }, matrix()), 'ridge'],
  orthogonalize: [given(flatmin.orthogonalize, matrix()), 'method'],
  loadModel: [given(flatmin.loadModel, linear(2), '/nowhere'), 'threads'],
  trainStep: [beside(trainStep, { optimizer, input: [3] }, linear(2)), 'batch'],
  crossEntropy: [given(flatmin.crossEntropy), 'labelSmoothing'],
  tokenCrossEntropy: [given(flatmin.tokenCrossEntropy), 'labelSmoothing'],
  gpt: [
    beside(flatmin.gpt, { vocabulary: 3, context: 2, layers: 1, heads: 1, width: 2 }),
    'dropout',
  ],
  huber: [given(flatmin.huber), 'delta'],
  lstmTagger: [beside(flatmin.lstmTagger, { vocabulary: 3, tags: 2 }), 'dropout'],
  mlp: [beside(flatmin.mlp, { out: 2 }), 'dropout'],
  resnet18: [given(flatmin.resnet18), 'width'],
  linear: [given(linear, 2), 'bias'],
  conv2d: [given(flatmin.conv2d, 2, 3), 'stride'],
  gelu: [given(flatmin.gelu), 'approximate'],
  batchNorm: [given(flatmin.batchNorm), 'momentum'],
  layerNorm: [given(flatmin.layerNorm), 'eps'],
  rmsNorm: [given(flatmin.rmsNorm), 'eps'],
  multiHeadAttention: [given(flatmin.multiHeadAttention, 2), 'rotary'],
  causalSelfAttention: [given(flatmin.causalSelfAttention, 2), 'rotary'],
  randomCrop2d: [given(flatmin.randomCrop2d, 2), 'value'],
  rnn: [given(flatmin.rnn, 2), 'dropout'],
  lstm: [given(flatmin.lstm, 2), 'projection'],
  maxPool2d: [given(flatmin.maxPool2d, 2), 'stride'],
  avgPool2d: [given(flatmin.avgPool2d, 2), 'stride'],
  cosine: [given(flatmin.cosine, 1), 'epochs'],
  stepDecay: [given(flatmin.stepDecay, 1), 'factor'],
  warmRestarts: [given(flatmin.warmRestarts, 1), 'epochs'],
  warmup: [given(flatmin.warmup, 1), 'epochs'],
  sam: [given(flatmin.sam, optimizer), 'adaptive'],
  clip: [given(flatmin.clip, optimizer), 'norm'],
  groups: [given(flatmin.groups, { w: matrix() }, [{ optimizer }]), 'onNonFinite'],
  muonWithAdamW: [
    beside(flatmin.muonWithAdamW, { muon: { lr }, adamw: { lr } }, { a: matrix(), w: matrix() }),
    'match',
  ],
  sweep: [beside(flatmin.sweep, { space, choice }, () => ({ loss: 1 })), 'seeds'],
  mergeSweeps: [beside(flatmin.mergeSweeps, choice, ['/nowhere'], '/nowhere'), 'best'],
  writeTokens: [
    beside(
      flatmin.writeTokens,
      { count: 1, context: 1 },
      { predictAsync: () => undefined },
      Int32Array.of(0),
    ),
    'temperature',
  ],
  ...Object.fromEntries(
    METHODS.map((name) => [name, [beside(methods[name], { lr }), 'weightDecay'] as Case]),
  ),
  ...Object.fromEntries(
    METHODS.map((name) => [
      `${name} on arrays`,
      [beside(methods[name], { lr }, { w: matrix() }), 'weightDecay'] as Case,
    ]),
  ),
};

/** Exports that take no options: what they are given is data, layers, numbers or functions. */
const WITHOUT = [
  ...['accuracy', 'binaryCrossEntropy', 'constant', 'describeModel', 'dropout', 'embedding'],
  ...[
    'entityF1',
    'fanInUniform',
    'flatten',
    'globalAvgPool2d',
    'hiddenMatrix',
    'lenet5',
    'loadCifar10',
  ],
  ...['meanAbsoluteError', 'meanSquaredError', 'parseConll', 'perplexity'],
  ...['randomFlip', 'readConll', 'readMetadata', 'relu', 'residual', 'scheduleFrom', 'sequential'],
  ...['sigmoid', 'silu', 'softmax', 'spanF1', 'squaredError', 'standardise', 'summary', 'tanh'],
  'wordShape',
];

async function refused([call, meant]: Case): Promise<void> {
  const error: unknown = await Promise.resolve()
    .then(() => call({ [`${meant}x`]: 1 }))
    .then(
      () => 'was taken',
      (error: unknown) => error,
    );
  expect(error).toBeInstanceOf(FlatminError);
  expect(error).toMatchObject({ code: 'FLATMIN_ARGUMENT' });
  expect(String((error as Error).message)).toContain(
    `Unknown option "${meant}x"; did you mean "${meant}"?`,
  );
}

const functions = Object.entries(flatmin).filter(
  ([, value]) => typeof value === 'function' && !/^class/.test(String(value)),
);

it('every exported function is among those with options or those without', () => {
  const listed = [...Object.keys(CASES).filter((name) => !name.includes(' ')), ...WITHOUT];
  expect(functions.map(([name]) => name).sort()).toEqual(listed.sort());
});

describe('an unknown option is refused by', () => {
  it.each(Object.entries(CASES))('%s', async (_, each) => {
    await refused(each);
  });

  it('classes that are made with them', async () => {
    const rows = flatmin.parseCsv('a,b\n1,x\n2,y');
    const cases: Case[] = [
      [beside(flatmin.TableTransform.fit, { target: 'b' }, rows, [0, 1]), 'drop'],
    ];
    for (const each of cases) await refused(each);
  });

  it('options within options', async () => {
    const training = { optimizer, epochs: 0 };
    const inner =
      (name: string, others = {}) =>
      (option: object) =>
        fit(linear(2), { train: points, test: points }, {
          ...training,
          [name]: { ...others, ...option },
        } as never);
    await refused([inner('earlyStopping'), 'patience']);
    await refused([inner('evaluateEvery', { epochs: 1 }), 'steps']);
    await refused([(option) => flatmin.lionK({ lr, K: { kind: 'lp', p: 2, ...option } }), 'kind']);
    await refused([
      (option) => flatmin.sweep(() => ({ loss: 1 }), { space, choice: { ...choice, ...option } }),
      'best',
    ]);
  });

  it('methods of models and steps', async () => {
    const { model } = await fit(linear(2), { train: points }, { optimizer, epochs: 1 });
    const step = trainStep(linear(2), { optimizer, input: [3], batch: 2 });
    const bound = sgd({ w: matrix() }, { lr });
    const products = model.curvature(points);
    const curvature: Record<string, Case> = {
      made: [given(model.curvature.bind(model), points), 'loss'],
      eigenvalues: [given(products.eigenvalues.bind(products), 1), 'tolerance'],
      trace: [given(products.trace.bind(products)), 'probes'],
      density: [given(products.density.bind(products)), 'probes'],
      sharpness: [given(products.sharpness.bind(products)), 'adaptive'],
    };
    const cases: Case[] = [
      [given(model.save.bind(model), '/nowhere/model'), 'metadata'],
      [given(model.evaluate.bind(model), points), 'metrics'],
      [given(model.loadStateDict.bind(model), model.stateDict()), 'strict'],
      [given(step.loadStateDict, step.stateDict()), 'strict'],
      [given(bound.loadStateDict.bind(bound), bound.stateDict()), 'strict'],
      ...Object.values(curvature),
    ];
    for (const each of cases) await refused(each);
  });
});

describe('ops refuse it:', () => {
  const traced =
    (shape: number[], call: (x: flatmin.Value, option: object) => unknown) => (option: object) =>
      flatmin.describeModel(
        (x) => {
          call(x, option);
          return x;
        },
        { dtype: 'f32', shape },
      );
  const op = ops as unknown as Record<string, (...all: unknown[]) => unknown>;
  const image = [1, 1, 4, 4];
  const cases: Record<string, Case> = {
    gelu: [traced([2, 3], (x, o) => op.gelu(x, o)), 'approximate'],
    matmul: [traced([2, 2], (x, o) => op.matmul(x, x, o)), 'transA'],
    ...Object.fromEntries(
      ['sum', 'mean', 'max', 'min'].map((name) => [
        name,
        [traced([2, 2], (x, o) => op[name](x, [0], o)), 'keepDims'] as Case,
      ]),
    ),
    ...Object.fromEntries(
      ['argmax', 'argmin'].map((name) => [
        name,
        [traced([2, 2], (x, o) => op[name](x, 0, o)), 'keepDims'] as Case,
      ]),
    ),
    maxPool2d: [traced(image, (x, o) => op.maxPool2d(x, { kernel: 2, ...o })), 'stride'],
    avgPool2d: [traced(image, (x, o) => op.avgPool2d(x, { kernel: 2, ...o })), 'stride'],
    conv2d: [traced(image, (x, o) => op.conv2d(x, x, undefined, o)), 'stride'],
    attention: [traced([1, 1, 2, 2], (x, o) => op.attention(x, x, x, o)), 'causal'],
    dropout: [traced([2, 2], (x, o) => op.dropout(x, { p: 0.5, stream: 1, ...o })), 'stream'],
    randomCrop2d: [
      traced(image, (x, o) => op.randomCrop2d(x, { padding: 1, stream: 1, ...o })),
      'value',
    ],
    randomFlip: [traced(image, (x, o) => op.randomFlip(x, { stream: 1, ...o })), 'stream'],
    rotary: [traced([1, 1, 2, 2], (x, o) => op.rotary(x, o)), 'base'],
  };
  it.each(Object.entries(cases))('%s', async (_, each) => {
    await refused(each);
  });
});
