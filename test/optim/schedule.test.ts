import { describe, expect, it } from 'vitest';
import {
  constant,
  cosine,
  FlatminError,
  lion,
  type Schedule,
  scheduleFrom,
  stepDecay,
  warmRestarts,
  warmup,
} from '../../src/index.ts';

const steps = (rate: Schedule, count: number) =>
  Array.from({ length: count }, (_, i) => rate({ step: i + 1, epoch: 0 }));
/** Three steps an epoch. */
const epochs = (rate: Schedule, count: number) =>
  Array.from({ length: count }, (_, i) => rate({ step: 3 * i + 1, epoch: i }));
const close = (values: readonly number[]) => values.map((v) => expect.closeTo(v, 12));

describe('schedules', () => {
  it('stay', () => {
    expect(steps(constant(0.3), 3)).toEqual([0.3, 0.3, 0.3]);
  });

  it('drop', () => {
    const rates = steps(stepDecay(8, { steps: 2, factor: 0.5 }), 7);
    expect(rates).toEqual([8, 8, 4, 4, 2, 2, 1]);
    expect(epochs(stepDecay(1, { epochs: 3 }), 7)).toEqual(close([1, 1, 1, 0.1, 0.1, 0.1, 0.01]));
  });

  it('restart', () => {
    const half = Math.SQRT1_2;
    const cycle = [1, 0.6 + 0.4 * half, 0.6, 0.6 - 0.4 * half];
    expect(steps(warmRestarts(1, { steps: 4, min: 0.2 }), 9)).toEqual(
      close([...cycle, ...cycle, 1]),
    );
    // Cycles of 1, 2 and 4 epochs.
    const growing = warmRestarts(1, { epochs: 1, factor: 2, min: 0.2 });
    expect(epochs(growing, 8)).toEqual(close([1, 1, 0.6, ...cycle, 1]));
  });

  it.each([
    [10, 2],
    [7, 1],
    [3, 3],
    [10, 1.5],
    [5, 1 + 1e-10],
    [2.5, 1.25],
    [0.75, 1],
  ])('restart where cycles of %d growing by %d are added up', (length, factor) => {
    const rate = warmRestarts(1, { steps: length, factor });
    let [begin, cycle] = [0, length];
    for (let j = 0; j < 500; j++) {
      for (; j >= begin + cycle; cycle *= factor) begin += cycle;
      const expected = 0.5 * (1 + Math.cos((Math.PI * (j - begin)) / cycle));
      expect(rate({ step: j + 1, epoch: 0 })).toBeCloseTo(expected, 12);
    }
  });

  it('restart at once whatever the lengths of the cycles', () => {
    for (const steps of [5e-324, 1e-300, 1e-9, 1, 1e9, 1e300]) {
      for (const factor of [1, 1 + Number.EPSILON, 1.000001, 2, 1e300]) {
        const rate = warmRestarts(1, { steps, factor, min: 0.5 });
        for (const step of [1, 2, 2e9, Number.MAX_SAFE_INTEGER]) {
          const lr = rate({ step, epoch: 0 });
          expect(lr >= 0.5 && lr <= 1, `${lr} at step ${step} of ${JSON.stringify(rate)}`).toBe(
            true,
          );
        }
      }
    }
    expect(stepDecay(1, { steps: 5e-324, factor: 1 })({ step: 9, epoch: 0 })).toBe(1);
  });

  it('warm up', () => {
    expect(steps(warmup(1, { steps: 4 }), 6)).toEqual([0.25, 0.5, 0.75, 1, 1, 1]);
    expect(epochs(warmup(1, { epochs: 2 }), 4)).toEqual([0.5, 1, 1, 1]);
    const inner = cosine(1, { steps: 4 });
    expect(steps(warmup(inner, { steps: 2 }), 6)).toEqual([0.5, 1, ...steps(inner, 4)]);
    const byEpoch = cosine(1, { epochs: 4 });
    expect(epochs(warmup(byEpoch, { epochs: 2 }), 6)).toEqual([0.5, 1, ...epochs(byEpoch, 4)]);
    // In front of a rate that counts in epochs, while those go on: 1/6 and 4/6 of it, then all.
    const mixed = epochs(warmup(byEpoch, { steps: 6 }), 4);
    expect(mixed).toEqual(close(epochs(byEpoch, 4).map((v, i) => v * ([1 / 6, 4 / 6][i] ?? 1))));
    const restarts = warmup(warmup(1, { steps: 2 }), { steps: 2 });
    expect(steps(restarts, 5)).toEqual([0.25, 0.5, 0.5, 1, 1]);
  });

  it('serialise', () => {
    const all = [
      constant(0.1),
      stepDecay(0.1, { epochs: 30 }),
      warmRestarts(0.1, { steps: 10, factor: 2 }),
      warmup(cosine(0.1, { epochs: 5 }), { steps: 100 }),
      warmup(0.1, { epochs: 1 }),
    ];
    expect(all.map((rate) => JSON.stringify(rate))).toMatchInlineSnapshot(`
      [
        "{"name":"constant","lr":0.1}",
        "{"name":"stepDecay","start":0.1,"factor":0.1,"epochs":30}",
        "{"name":"warmRestarts","max":0.1,"min":0,"factor":2,"steps":10}",
        "{"name":"warmup","steps":100,"rate":{"name":"cosine","max":0.1,"min":0,"epochs":5}}",
        "{"name":"warmup","epochs":1,"rate":0.1}",
      ]
    `);
    expect(JSON.stringify(lion({ lr: all[0] }).options)).toContain('{"name":"constant","lr":0.1}');
  });

  it('refuse what they cannot follow', () => {
    const bad: (() => unknown)[] = [
      () => constant(-1),
      () => constant('fast' as never),
      () => stepDecay(1),
      () => stepDecay(1, { steps: 0 }),
      () => stepDecay(1, { steps: 3, factor: NaN }),
      () => warmRestarts(1, { steps: 3, factor: 0.5 }),
      () => warmRestarts(Infinity, { steps: 3 }),
      () => warmup(1, {}),
      () => warmup(1, { steps: 1, epochs: 1 }),
      () => warmup(-1, { steps: 1 }),
    ];
    const messages = bad.map((make) => {
      try {
        make();
      } catch (error) {
        expect(error).toMatchObject({ code: 'FLATMIN_ARGUMENT' });
        return error instanceof FlatminError && error.message;
      }
      throw new Error('nothing was thrown');
    });
    expect(messages).toMatchInlineSnapshot(`
      [
        "constant expects lr to be a finite number of at least 0, got -1",
        "constant expects lr to be a finite number of at least 0, got 'fast'",
        "stepDecay expects a positive number of either epochs or steps",
        "stepDecay expects a positive number of either epochs or steps",
        "stepDecay expects factor to be a finite number of at least 0, got NaN",
        "warmRestarts expects factor to be a finite number of at least 1, got 0.5",
        "warmRestarts expects max to be a finite number of at least 0, got Infinity",
        "warmup expects a positive number of either epochs or steps",
        "warmup expects a positive number of either epochs or steps",
        "warmup expects rate to be a finite number of at least 0, got -1",
      ]
    `);
  });
});

describe('scheduleFrom', () => {
  it.each([
    constant(0.3),
    cosine(0.3, { epochs: 4, min: 0.01 }),
    warmRestarts(0.3, { steps: 3, factor: 2 }),
    stepDecay(0.3, { steps: 4, factor: 0.5 }),
    warmup(0.3, { steps: 3 }),
    warmup(warmup(cosine(0.3, { steps: 9 }), { steps: 2 }), { epochs: 2 }),
  ])('reads back what JSON made of a schedule: %j', (schedule) => {
    const read = scheduleFrom(JSON.parse(JSON.stringify(schedule)));
    expect(steps(read, 12)).toEqual(steps(schedule, 12));
    expect(epochs(read, 12)).toEqual(epochs(schedule, 12));
    expect(JSON.stringify(read)).toBe(JSON.stringify(schedule));
  });

  it.each([
    undefined,
    null,
    0.1,
    'cosine',
    [],
    {},
    { name: 'toString' },
    { name: 'constant' },
    { name: 'constant', lr: '0.1' },
    { name: 'cosine', max: 0.1 },
    { name: 'cosine', max: 0.1, epochs: '4' },
    { name: 'stepDecay', start: 0.1, steps: 4, factor: null },
    { name: 'warmup', steps: 4, rate: { name: 'none' } },
    { name: 'warmup', steps: 4 },
  ])('refuses %j', (description) => {
    expect(() => scheduleFrom(description)).toThrow(
      expect.objectContaining({ code: 'FLATMIN_ARGUMENT' }),
    );
  });
});
