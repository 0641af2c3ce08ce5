/** Schedules in epochs where the loop is the caller's: on arrays, and by `trainStep`. */
import { describe, expect, it } from 'vitest';
import {
  cosine,
  groups,
  linear,
  type Progress,
  type Rate,
  type StateDict,
  sam,
  scheduleFrom,
  sgd,
  squaredError,
  stepDecay,
  trainStep,
  warmRestarts,
  warmup,
} from '../../src/index.ts';

const byFunction = Object.assign(({ epoch }: Progress) => 1 / (1 + epoch), {
  toJSON: () => ({ name: 'byFunction' }),
});

const IN_EPOCHS: readonly [string, Rate][] = [
  ['cosine', cosine(1, { epochs: 4 })],
  ['warmRestarts', warmRestarts(1, { epochs: 3 })],
  ['stepDecay', stepDecay(1, { epochs: 2 })],
  ['warmup', warmup(1, { epochs: 5 })],
  ['a warm-up in steps before epochs', warmup(cosine(1, { epochs: 4 }), { steps: 2 })],
  ['a warm-up in epochs before steps', warmup(stepDecay(1, { steps: 3 }), { epochs: 2 })],
  ['one read back', scheduleFrom(JSON.parse(JSON.stringify(cosine(1, { epochs: 4 }))))],
  ['a function', byFunction],
];

interface Door {
  epoch: number | undefined;
  /** Takes a step of the gradient 1 from θ = 0; returns how far it went. */
  readonly take: () => number | Promise<number>;
  stateDict(): StateDict;
  loadStateDict(state: StateDict): unknown;
}

const DOORS: readonly [string, (lr: Rate) => Door][] = [
  [
    'an optimizer on arrays',
    (lr) => {
      const params = { w: { data: new Float32Array(1), shape: [1] } };
      const optimizer = groups(params, [{ optimizer: sgd({ lr }) }], { device: 'js' });
      const take = () => {
        params.w.data.fill(0);
        optimizer.step({ w: Float32Array.of(1) });
        return -params.w.data[0];
      };
      return Object.assign(optimizer, { take });
    },
  ],
  [
    'SAM on arrays',
    (lr) => {
      const params = { w: { data: new Float32Array(1), shape: [1] } };
      const optimizer = sam(params, sgd({ lr }), { device: 'js' });
      const take = async () => {
        params.w.data.fill(0);
        await optimizer.stepAsync(() => ({ loss: 0, grads: { w: Float32Array.of(1) } }));
        return -params.w.data[0];
      };
      return Object.assign(optimizer, { take });
    },
  ],
  [
    'trainStep',
    (lr) => {
      const step = trainStep(linear(1, { bias: false }), {
        optimizer: sgd({ lr }),
        loss: squaredError(),
        input: [1],
        batch: 1,
        device: 'js',
      });
      const weight = () => step.model.parameters().weight.data[0];
      const take = () => {
        const before = weight();
        step(Float32Array.of(1), Float32Array.of(before - 1));
        return before - weight();
      };
      return Object.assign(step, { take });
    },
  ],
];

describe.each(DOORS)('%s', (_, open) => {
  it.each(IN_EPOCHS)('follows %s by the epochs it was told', async (_, rate) => {
    const door = open(rate);
    const lengths: number[] = [];
    for (let step = 1; step <= 12; step++) {
      door.epoch = Math.floor((step - 1) / 3);
      lengths.push(await door.take());
    }
    const at = rate as (at: Progress) => number;
    const wanted = lengths.map((_, i) => at({ step: i + 1, epoch: Math.floor(i / 3) }));
    for (const [i, length] of lengths.entries()) expect(length).toBeCloseTo(wanted[i], 5);
    expect(new Set(wanted).size).toBeGreaterThan(1);
  });

  it.each(IN_EPOCHS)('refuses %s without', async (_, rate) => {
    const door = open(rate);
    const before = JSON.stringify(door.stateDict());
    await expect((async () => door.take())()).rejects.toMatchObject({ code: 'FLATMIN_ARGUMENT' });
    expect(JSON.stringify(door.stateDict())).toBe(before);
    door.epoch = 0;
    expect(await door.take()).toBeGreaterThan(0);
  });

  it('says what to do', async () => {
    const door = open(cosine(1, { epochs: 2 }));
    await expect((async () => door.take())()).rejects.toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: The learning rate is a schedule in epochs, and no epoch was set. Help: set epoch on what you step with, optimizer.epoch = 0 before the first epoch, 1 before the second, or give the schedule a length in steps.]`,
    );
    for (const epoch of [-1, 0.5, NaN, 2 ** 31, '1', null]) {
      expect(() => {
        door.epoch = epoch as never;
      }).toThrow(expect.objectContaining({ code: 'FLATMIN_ARGUMENT' }));
    }
    expect(() => {
      door.epoch = -1;
    }).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: epoch must be a whole number of at least 0, the epochs already finished, got -1]`,
    );
    expect(door.epoch).toBe(undefined);
  });

  it('asks for no epoch where nothing counts in them', async () => {
    const door = open(warmup(cosine(1, { steps: 4 }), { steps: 2 }));
    expect(await door.take()).toBeCloseTo(0.5, 6);
    expect(Object.keys(door.stateDict())).not.toContain('epoch');
  });

  it('has its epoch in the state', async () => {
    const first = open(cosine(1, { epochs: 4 }));
    first.epoch = 3;
    await first.take();
    const second = open(cosine(1, { epochs: 4 }));
    second.loadStateDict(first.stateDict());
    expect(second.epoch).toBe(3);
    expect(await second.take()).toBeCloseTo(await first.take(), 6);
    const { epoch, ...without } = first.stateDict();
    expect([...epoch.data]).toEqual([3]);
    // A state of a run without epochs leaves what was set.
    second.epoch = 1;
    second.loadStateDict(without);
    expect(second.epoch).toBe(1);
    const bad = { ...without, epoch: { data: Int32Array.of(-1), shape: [1] } };
    expect(() => second.loadStateDict(bad)).toThrow(
      expect.objectContaining({ code: 'FLATMIN_CHECKPOINT' }),
    );
  });
});
