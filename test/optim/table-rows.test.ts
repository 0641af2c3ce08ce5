/** Steps by the rows of a table that a batch takes, against those by its whole gradient. */
import { describe, expect, it } from 'vitest';
import {
  clip,
  embedding,
  kfac,
  linear,
  lstm,
  type Optimizer,
  type ShampooOptions,
  sequential,
  sgd,
  shampoo,
  tokenCrossEntropy,
  trainStep,
} from '../../src/index.ts';
import { Training } from '../../src/train/training.ts';
import { devices } from './devices.ts';

const [VOCABULARY, STEPS, BATCH] = [40, 6, 3];

/** Tokens of each step of training, some of them padding, some twice in a batch. */
const batchOf = (t: number) => {
  const tokens = Int32Array.from({ length: BATCH * STEPS }, (_, i) =>
    i % STEPS > 2 + ((Math.floor(i / STEPS) + t) % 4) ? -1 : (i * i + 5 * t) % VOCABULARY,
  );
  return { tokens, labels: tokens.map((token) => (token === -1 ? -1 : token % 3)) };
};

/** Parameters after some steps. */
function trained(optimizer: Optimizer, device: 'js' | 'cpu', count = 12) {
  const step = trainStep(
    sequential({ words: embedding(VOCABULARY, 5), lstm: lstm(4), fc: linear(3) }),
    {
      optimizer,
      input: [STEPS],
      inputType: 'i32',
      batch: BATCH,
      loss: tokenCrossEntropy(),
      seed: 3,
      device,
    },
  );
  for (let t = 0; t < count; t++) {
    const { tokens, labels } = batchOf(t);
    step(tokens, labels);
  }
  return step.model.parameters();
}

/** Multiplies gradients by 1, after which no method knows what they were made of. */
const whole = (optimizer: Optimizer): Optimizer => clip(optimizer, { norm: 1e9 });

function expectNear(a: ReturnType<typeof trained>, b: ReturnType<typeof trained>, most: number) {
  for (const [name, { data }] of Object.entries(a)) {
    data.forEach((x, i) => {
      expect(Math.abs(x - b[name].data[i]), `${name}[${i}]`).toBeLessThanOrEqual(most);
    });
  }
}

/** Ops of a compiled step. */
function opsOf(optimizer: Optimizer): string[] {
  const { tokens, labels } = batchOf(0);
  const data = {
    name: 'tokens',
    synthetic: true,
    inputs: { data: tokens, shape: [STEPS] },
    labels: Int32Array.from(labels),
    labelShape: [STEPS],
    classes: 3,
    count: BATCH,
  };
  const model = sequential({ words: embedding(VOCABULARY, 5), fc: linear(3) });
  const options = { optimizer, loss: tokenCrossEntropy(), batch: BATCH, device: 'js' } as const;
  const [step] = new Training(model, { train: data }, options).steps.values();
  return step.traced.map(({ op }) => op.name);
}

it.each([
  ['sgd', sgd({ lr: 0.3 })],
  ['kfac', kfac({ lr: 0.1, weightDecay: 0.05, decoupled: true })],
  ['shampoo', shampoo({ lr: 0.1, diagonalAbove: 10 })],
])('the step by %s goes by rows, unless its gradients are made of others', (_, optimizer) => {
  expect(opsOf(optimizer)).toEqual(expect.arrayContaining(['sumRows', 'sgdRows']));
  expect(opsOf(whole(optimizer))).not.toContain('sgdRows');
});

describe.each(devices)('tables on $title', ({ device, missing }) => {
  describe.skipIf(missing !== null)('step by their rows', () => {
    it.each([{}, { weightDecay: 0.05 }, { weightDecay: 0.05, decoupled: true }])(
      'as by their gradients, by sgd %o',
      (options) => {
        const make = () => sgd({ lr: 0.3, ...options });
        expectNear(trained(make(), device), trained(whole(make()), device), 1e-6);
      },
    );

    it.each([{}, { weightDecay: 0.05, decoupled: true }])('the same by kfac %o', (options) => {
      const make = () => kfac({ lr: 0.1, damping: 0.1, fisher: 'empirical', ...options });
      expectNear(trained(make(), device), trained(whole(make()), device), 1e-6);
    });

    const SHAMPOO: readonly Omit<ShampooOptions, 'lr'>[] = [
      { epsilon: 0.1 },
      { epsilon: 0.1, graft: 'sgd', weightDecay: 0.05 },
      { epsilon: 0.05, beta: 0.9, statisticsEvery: 3, rootsEvery: 4, startStep: 3, graft: 'sgd' },
    ];
    it.each(SHAMPOO)('the same by shampoo %o', (options) => {
      const make = () => shampoo({ lr: 0.1, diagonalAbove: 10, ...options });
      expectNear(trained(make(), device), trained(whole(make()), device), 1e-6);
    });

    it('and those of no batch stand', () => {
      const options = { damping: 0.1, fisher: 'empirical' } as const;
      const before = trained(sgd({ lr: 0 }), device)['words.embedding'].data;
      const seen = new Set(Array.from({ length: 12 }, (_, t) => [...batchOf(t).tokens]).flat());
      expect(seen.size).toBeLessThan(VOCABULARY);
      for (const optimizer of [
        sgd({ lr: 0.3 }),
        kfac({ lr: 0.1, ...options }),
        shampoo({ lr: 0.1, epsilon: 0.1, diagonalAbove: 10 }),
      ]) {
        const after = trained(optimizer, device)['words.embedding'].data;
        after.forEach((x, i) => {
          const moves = seen.has(Math.floor(i / 5));
          expect(Object.is(x, before[i]), `${i} of a row that moves: ${moves}`).toBe(!moves);
        });
      }
    });

    it('stop at what is not finite, by its name', () => {
      const step = trainStep(sequential({ words: embedding(VOCABULARY, 5), fc: linear(3) }), {
        optimizer: sgd({ lr: 1e30 }),
        input: [STEPS],
        inputType: 'i32',
        batch: BATCH,
        loss: tokenCrossEntropy(),
        device,
      });
      const { tokens, labels } = batchOf(0);
      const run = () => {
        for (let t = 0; t < 4; t++) step(tokens, labels);
      };
      expect(run).toThrow(expect.objectContaining({ code: 'FLATMIN_NUMERICS' }));
    });
  });
});
