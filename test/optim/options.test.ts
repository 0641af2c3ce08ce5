/** Hyperparameters: what is required, what is refused, and how that reads. */
import { describe, expect, it } from 'vitest';
import {
  adagrad,
  adam,
  adamw,
  cosine,
  enim,
  FlatminError,
  kfac,
  lion,
  lionK,
  muon,
  normDescent,
  rmsprop,
  sam,
  sgd,
  shampoo,
  soap,
} from '../../src/index.ts';
import * as catalogue from '../../src/optim/catalogue.ts';

type Make = (options: never) => unknown;
const params = () => ({ w: { data: new Float32Array(2), shape: [2] } });

function refusal(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    expect(error).toBeInstanceOf(FlatminError);
    expect((error as FlatminError).code).toBe('FLATMIN_ARGUMENT');
    return (error as FlatminError).message;
  }
  throw new Error('nothing was thrown');
}

/** All of the catalogue that take a rate. */
const MAKERS = Object.entries(catalogue).filter(
  ([, method]) => 'optionNames' in method && method.optionNames.includes('lr'),
) as unknown as [name: string, make: Make][];

/** What no number may be. */
const NO_NUMBERS: unknown[] = [
  NaN,
  Infinity,
  -Infinity,
  '0.1',
  null,
  true,
  [],
  {},
  1n,
  Symbol('x'),
];
const BELOW_0 = [...NO_NUMBERS, -1, -1e-30];
const NOT_POSITIVE = [...BELOW_0, 0, -0];
const NO_DECAY = [...BELOW_0, 1, 1.5];
const NO_COUNT = [...BELOW_0, 0, 1.5, Number.EPSILON];
const NO_FLAG = [0, 1, 'true', null, NaN];
const NO_BETAS = [0.9, [], [0.9], [0.9, 0.99, 0.999], [0.9, 1], [-0.1, 0.9], [NaN, 0.9], null];

const BAD: [make: Make, option: string, values: unknown[]][] = [
  ...MAKERS.map(([, make]): [Make, string, unknown[]] => [make, 'lr', [undefined, ...BELOW_0]]),
  ...MAKERS.map(([, make]): [Make, string, unknown[]] => [make, 'weightDecay', BELOW_0]),
  ...MAKERS.map(([, make]): [Make, string, unknown[]] => [make, 'l1', BELOW_0]),
  ...MAKERS.map(([, make]): [Make, string, unknown[]] => [make, 'learningRate', [1]]),
  [sgd, 'momentum', NO_DECAY],
  [sgd, 'nesterov', NO_FLAG],
  [sgd, 'decoupled', NO_FLAG],
  [adamw, 'betas', NO_BETAS],
  [adamw, 'eps', NOT_POSITIVE],
  [lion, 'betas', NO_BETAS],
  [shampoo, 'epsilon', BELOW_0],
  [shampoo, 'ridge', BELOW_0],
  [shampoo, 'beta', [...BELOW_0, 1.5]],
  [shampoo, 'momentum', NO_DECAY],
  [shampoo, 'nesterov', NO_FLAG],
  [shampoo, 'mergeDims', NO_FLAG],
  [shampoo, 'statisticsEvery', NO_COUNT],
  [shampoo, 'rootsEvery', NO_COUNT],
  [shampoo, 'startStep', NO_COUNT],
  [shampoo, 'graft', ['lion', null, true]],
  [shampoo, 'blockSize', NO_COUNT],
  [shampoo, 'vectors', ['none', null, true]],
  [shampoo, 'exponentOverride', NOT_POSITIVE],
  [shampoo, 'rootMethod', ['qr', null, 1]],
  [soap, 'betas', NO_BETAS],
  [soap, 'eps', NOT_POSITIVE],
  [soap, 'basesEvery', NO_COUNT],
  [soap, 'mergeDims', NO_FLAG],
  [soap, 'maxDim', NO_COUNT],
  [kfac, 'damping', NOT_POSITIVE],
  [kfac, 'klClip', NOT_POSITIVE],
  [kfac, 'momentum', NO_DECAY],
  [kfac, 'statisticsEvery', NO_COUNT],
  [kfac, 'inversesEvery', NO_COUNT],
  [kfac, 'blockSize', NO_COUNT],
  [kfac, 'fisher', ['expected', null, true]],
  [muon, 'momentum', NO_DECAY],
  [muon, 'nesterov', NO_FLAG],
  [muon, 'method', ['svd', null, 5]],
  [muon, 'scale', ['none', null, 1]],
  [adagrad, 'eps', NOT_POSITIVE],
  [adagrad, 'epsInsideSqrt', NO_FLAG],
  [adagrad, 'decoupled', NO_FLAG],
  [rmsprop, 'gamma', NO_DECAY],
  [rmsprop, 'eps', NOT_POSITIVE],
  [rmsprop, 'epsInsideSqrt', NO_FLAG],
  [adam, 'betas', NO_BETAS],
  [adam, 'eps', NOT_POSITIVE],
  [adam, 'amsgrad', NO_FLAG],
  [lionK, 'betas', NO_BETAS],
  [lionK, 'K', ['l1', null, {}, { kind: 'spectral' }, { kind: 'l1', p: 2 }, { kind: 'lp' }]],
  [lionK, 'K', [0.5, NaN, Infinity, '2'].map((p) => ({ kind: 'lp', p }))],
  [lionK, 'K', NOT_POSITIVE.map((e) => ({ kind: 'huber', e }))],
  [lionK, 'K', NOT_POSITIVE.map((e) => ({ kind: 'smooth', e }))],
  [lionK, 'K', BELOW_0.map((e) => ({ kind: 'deadZone', e }))],
  [lionK, 'K', NO_COUNT.map((k) => ({ kind: 'largest', k }))],
  [enim, 'betas', NO_BETAS],
  [enim, 'angle', [...BELOW_0, 3.15]],
  [enim, 'scope', ['layer', null, true]],
  [normDescent, 'momentum', NO_DECAY],
  [normDescent, 'norm', ['l3', 'schatten', null, 2]],
  [normDescent, 'scale', ['none', null, true]],
];

describe('options', () => {
  it.each(BAD.map(([make, option, values]) => ({ make, option, values })))(
    'refuse a bad $option',
    ({ make, option, values }) => {
      for (const value of values) {
        const message = refusal(() => make({ lr: 0.1, [option]: value } as never));
        expect(message).toContain(option);
        // Not because the method has no such option.
        const unknown = message.includes(`Unknown option "${option}"`);
        expect(unknown).toBe(option === 'learningRate');
        expect(message.length).toBeLessThan(200);
      }
    },
  );

  const rates = (name: string) => (name === 'kfac' ? ", a schedule or 'model'" : ' or a schedule');
  it.each(MAKERS)('of %s need a learning rate', (name, make) => {
    expect(refusal(() => make({} as never))).toBe(
      `${name}: lr: expected a finite number of at least 0${rates(name)}, got undefined`,
    );
    refusal(() => make(undefined as never));
    refusal(() => (make as typeof sgd)(params(), {} as never));
    refusal(() => (make as typeof sgd)(params(), null as never));
  });

  it('read well', () => {
    const messages = [
      () => lion({ lr: -1 }),
      () => lion({ lr: 'fast' as never, betas: [0.9, 1] }),
      () => sgd({ lr: 0.1, momentun: 0.9 } as never),
      () => sgd({ lr: 0.1, nesterov: 'yes' as never }),
      () => adamw({ lr: 0.1, betas: [0.9] as never, eps: 0 }),
      () => shampoo({ lr: 0.1, beta: 2, rootsEvery: 0.5 }),
      () => kfac({ lr: 0.1, fisher: 'expected' as never }),
      () => sam(lion({ lr: 0.1 }), { rho: NaN }),
      () => lion(params(), { lr: 0.1, onNonFinite: 'ignore' as never }),
      () => lion(params(), { lr: 0.1, seed: -1 }),
      () => lion(params(), { lr: 0.1, device: 'gpu' as never }),
    ].map(refusal);
    expect(messages).toMatchInlineSnapshot(`
      [
        "lion: lr: expected a finite number of at least 0 or a schedule, got -1",
        "lion: lr: expected a finite number of at least 0 or a schedule, got 'fast'; betas.1: expected a number of at least 0 and below 1, got 1",
        "sgd: Unknown option "momentun"; did you mean "momentum"?",
        "sgd: nesterov: Invalid input: expected boolean, received string",
        "adamw: betas: expected two numbers of at least 0 and below 1, got [ 0.9 ]; eps: expected a finite number above 0, got 0",
        "shampoo: beta: expected a number from 0 to 1, got 2; rootsEvery: expected a whole number of at least 1, got 0.5",
        "kfac: fisher: Invalid option: expected one of "true"|"empirical"|"exact"",
        "sam: rho: expected a finite number of at least 0, got NaN",
        "onNonFinite must be one of throw, skip, allow, got 'ignore'",
        "lion: seed: expected a whole number of at least 0, got -1",
        "device must be one of auto, js, cpu, cuda, cuda:1, …, got "gpu"",
      ]
    `);
  });

  it('of sam refuse a bad radius', () => {
    const base = lion({ lr: 0.1 });
    for (const rho of BELOW_0)
      expect(refusal(() => sam(base, { rho: rho as never }))).toContain('rho');
    for (const p of [...BELOW_0.filter((v) => v !== Infinity), 0.99]) {
      expect(refusal(() => sam(base, { p: p as never }))).toContain('p: expected');
    }
    for (const every of NO_COUNT)
      expect(refusal(() => sam(base, { every } as never))).toContain('every');
    expect(refusal(() => sam(base, { adaptive: 1 } as never))).toContain('adaptive');
    expect(refusal(() => sam(base, { between: 'adam' } as never))).toContain('between');
    expect(refusal(() => sam(base, { radius: 1 } as never))).toContain('radius');
    expect(refusal(() => sam(params(), base, { rho: -1 }))).toContain('rho');
  });

  it('of a binding are checked', () => {
    const bind = (options: object) => () => lion(params(), { lr: 0.1, device: 'js', ...options });
    for (const seed of [...NO_NUMBERS, -1, 0.5, 2 ** 53]) {
      expect(refusal(bind({ seed }))).toContain('seed');
    }
    for (const onNonFinite of ['Throw', '', 1, true, 2n]) {
      expect(refusal(bind({ onNonFinite }))).toContain('onNonFinite');
    }
    for (const device of ['gpu', '', null, 3])
      expect(refusal(bind({ device }))).toContain('device');
  });

  it('show their defaults', () => {
    expect(lion({ lr: 1e-4 }).options).toEqual({
      lr: 1e-4,
      betas: [0.9, 0.99],
      weightDecay: 0,
      momentumDtype: 'float32',
      angularNoise: false,
    });
    expect(sam(lion({ lr: 1e-4 })).options).toMatchObject({ rho: 0.05, base: { name: 'lion' } });
    expect(sam(lion({ lr: 1e-4 }), { adaptive: true }).options).toMatchObject({ rho: 0.5, p: 2 });
    expect(adamw({ lr: 1 }).options).toEqual({
      lr: 1,
      betas: [0.9, 0.999],
      eps: 1e-8,
      amsgrad: false,
      weightDecay: 0.01,
    });
    expect(adagrad({ lr: 1 }).options).toMatchObject({ eps: 1e-10, decoupled: false });
    expect(rmsprop({ lr: 1 }).options).toMatchObject({ eps: 1e-8, gamma: 0.99 });
    expect(adam({ lr: 1 }).options).toMatchObject({ betas: [0.9, 0.999], weightDecay: 0 });
    expect(lionK({ lr: 1 }).options).toMatchObject({ K: { kind: 'l1' }, betas: [0.9, 0.99] });
    expect(enim({ lr: 1 }).options).toMatchObject({
      angle: expect.closeTo(0.647, 4),
      scope: 'tensor',
      betas: [0.9, 0.99],
    });
    expect(normDescent({ lr: 1 }).options).toMatchObject({
      norm: 'l2',
      scale: 'unit',
      momentum: 0,
    });
    expect(shampoo({ lr: 1 }).options).toMatchObject({ epsilon: 1e-4, beta: 1, ridge: 1e-6 });
    expect(muon({ lr: 1 }).options).toEqual({
      lr: 1,
      momentum: 0.95,
      nesterov: true,
      weightDecay: 0,
      method: 'newton-schulz',
      scale: 'original',
    });
    expect(kfac({ lr: 1 }).options).toMatchObject({
      damping: 1e-3,
      klClip: 1e-3,
      momentum: 0,
      fisher: 'true',
      statisticsEvery: 10,
      inversesEvery: 10,
    });
  });
});

describe('a schedule', () => {
  it('follows the cosine from max to min', () => {
    const rate = cosine(1, { steps: 4, min: 0.2 });
    const at = [1, 2, 3, 4, 5, 9].map((step) => rate({ step, epoch: 0 }));
    const half = Math.SQRT1_2;
    const want = [1, 0.6 + 0.4 * half, 0.6, 0.6 - 0.4 * half, 0.2, 0.2];
    want.forEach((lr, i) => {
      expect(at[i]).toBeCloseTo(lr, 12);
    });
    const byEpoch = cosine(1, { epochs: 2 });
    expect([0, 1, 2].map((epoch) => byEpoch({ step: 1 + 9 * epoch, epoch }))).toEqual([
      1,
      expect.closeTo(0.5, 12),
      0,
    ]);
    expect(JSON.parse(JSON.stringify(rate))).toEqual({
      name: 'cosine',
      max: 1,
      min: 0.2,
      steps: 4,
    });
  });

  it('refuses what is no schedule', () => {
    for (const options of [undefined, {}, { steps: 1, epochs: 1 }, { steps: 0 }, { epochs: NaN }]) {
      refusal(() => cosine(1, options as never));
    }
    for (const max of [NaN, -1, Infinity]) refusal(() => cosine(max, { steps: 3 }));
    refusal(() => cosine(1, { steps: 3, min: -1 }));
  });

  it('is used by the step', () => {
    const { w } = params();
    const optimizer = sgd({ w }, { lr: cosine(1, { steps: 2 }), device: 'js' });
    optimizer.step({ w: Float32Array.of(-1, 0) });
    optimizer.step({ w: Float32Array.of(0, -1) });
    expect([...w.data]).toEqual([1, 0.5]);
  });

  it('that gives no rate is an error, and θ is untouched', () => {
    for (const lr of [NaN, Infinity, -1, undefined]) {
      const { w } = params();
      const schedule = Object.assign(() => lr as number, { toJSON: () => ({}) });
      const optimizer = sgd({ w }, { lr: schedule, device: 'js' });
      expect(refusal(() => optimizer.step({ w: Float32Array.of(1, 1) }))).toBe(
        `The schedule must give a finite number of at least 0, got ${lr} at step 1`,
      );
      expect([...w.data]).toEqual([0, 0]);
    }
  });
});
