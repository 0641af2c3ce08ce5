import { describe, expect, it } from 'vitest';
import {
  adamw,
  type BoundOptimizer,
  clip,
  kfac,
  lion,
  type Params,
  type StateDict,
  sam,
  sgd,
} from '../../src/index.ts';
import { devices } from './devices.ts';
import { METHODS } from './methods.ts';
import { bytesOf, copyParams, randomGrads, randomParams } from './tensors.ts';

const refusal = (body: () => unknown): string => {
  try {
    body();
  } catch (error) {
    expect(error).toMatchObject({ code: 'FLATMIN_CHECKPOINT' });
    return (error as Error).message;
  }
  throw new Error('nothing was thrown');
};

describe.each(devices)('the state of an optimizer on $title', ({ device, missing }) => {
  /** Steps `first`, then another one from its state and it itself: both must end alike. */
  async function expectContinues(
    make: (params: Params) => BoundOptimizer,
    step: (optimizer: BoundOptimizer, params: Params, t: number) => unknown,
    params: Params = randomParams(),
  ) {
    const first = make(params);
    for (let t = 1; t <= 7; t++) await step(first, params, t);
    const state = first.stateDict();
    const other = copyParams(params);
    const second = make(other);
    expect(second.loadStateDict(state)).toEqual({ missing: [], unexpected: [] });
    for (let t = 8; t <= 14; t++) {
      await step(first, params, t);
      await step(second, other, t);
    }
    expect(bytesOf(other)).toBe(bytesOf(params));
    // A copy, which later steps leave alone: a third goes on from the same place.
    const third = make(other);
    third.loadStateDict(state);
    expect(third.stateDict()).toEqual(state);
  }

  it.skipIf(missing !== null).each(METHODS)('of $name carries on to the bit', async ({ bind }) => {
    await expectContinues(
      (params) => bind(params, 0.1, { device, onNonFinite: 'skip' }),
      (optimizer, _, t) => {
        const grads = randomGrads(t);
        if (t === 3) grads.matrix[1] = NaN;
        optimizer.step(grads);
      },
    );
  });

  it.skipIf(missing !== null)('of LookSAM over a clipped base carries on to the bit', async () => {
    const base = clip(adamw({ lr: 0.01 }), { norm: 1 });
    await expectContinues(
      (params) => sam(params, base, { every: 4, between: 'look', device }),
      (optimizer, params) =>
        optimizer.step(() => ({
          loss: 0,
          grads: Object.fromEntries(
            Object.entries(params).map(([name, { data }]) => [name, data.map((v) => v ** 3 - v)]),
          ),
        })),
    );
  });

  it.skipIf(missing !== null)('of K-FAC has the layers observed', () => {
    const make = (params: Params) =>
      kfac(params, { lr: 0.1, statisticsEvery: 2, momentum: 0.5, device });
    const step = (optimizer: ReturnType<typeof make>, t: number) => {
      const { a, g, w } = randomGrads(t, { a: [3, 2], g: [3, 2], w: [2, 2] });
      optimizer.observe('fc', { inputs: a, outputGrads: g });
      optimizer.step({ 'fc.weight': w });
    };
    const params = randomParams({ 'fc.weight': [2, 2] });
    const first = make(params);
    for (let t = 1; t <= 5; t++) step(first, t);
    const other = copyParams(params);
    const second = make(other);
    expect(refusal(() => second.loadStateDict(first.stateDict()))).toContain(
      '"state/a/fc.weight" is unexpected',
    );
    second.observe('fc', { inputs: new Float32Array(6), outputGrads: new Float32Array(6) });
    second.loadStateDict(first.stateDict());
    for (let t = 6; t <= 12; t++) {
      step(first, t);
      step(second, t);
    }
    expect(bytesOf(other)).toBe(bytesOf(params));
  });

  const setUp = () => {
    const params = { w: { data: Float32Array.of(1, 2), shape: [2] } };
    const optimizer = lion(params, { lr: 0.5, betas: [0, 0.5], device });
    optimizer.step({ w: Float32Array.of(2, -4) });
    return { optimizer, state: optimizer.stateDict() };
  };

  it.skipIf(missing !== null)('has names', () => {
    expect(setUp().state).toEqual({
      'state/momentum/w': { data: Float32Array.of(1, -2), shape: [2] },
      status: { data: new Int32Array(8), shape: [8] },
      step: { data: Int32Array.of(1), shape: [1] },
    });
  });

  it.skipIf(missing !== null)('is refused whole where it does not fit', () => {
    const { optimizer, state } = setUp();
    const m = 'state/momentum/w';
    const { step: _, ...stepless } = state;
    const bad: StateDict[] = [
      { ...stepless, other: state.step },
      { ...state, [m]: { data: new Float32Array(3), shape: [3] } },
      { ...state, [m]: { data: new Float32Array(3), shape: [2] } },
      { ...state, [m]: { data: new Float64Array(2), shape: [2] } },
      { ...state, [m]: undefined as never, step: { data: Int32Array.of(5), shape: [1] } },
      {},
      { ...state, step: { data: Int32Array.of(-5), shape: [1] } },
    ];
    expect(
      bad.map((given) => refusal(() => optimizer.loadStateDict(given))),
    ).toMatchInlineSnapshot(`
      [
        "The state does not fit: "step" is missing; "other" is unexpected",
        "The state does not fit: "state/momentum/w" has shape [3], not [2]",
        "The state does not fit: "state/momentum/w" holds a Float32Array of 3, not a Float32Array of 2",
        "The state does not fit: "state/momentum/w" holds a Float64Array of 2, not a Float32Array of 2",
        "The state does not fit: "state/momentum/w" has shape none, not [2]",
        "The state does not fit: "status" is missing; "step" is missing; "state/momentum/w" is missing",
        "The state does not fit: "step" is -5, and steps count from 0",
      ]
    `);
    expect(optimizer.stateDict()).toEqual(state);
    for (const given of [undefined, null, 3]) {
      expect(() => optimizer.loadStateDict(given as never)).toThrow(
        expect.objectContaining({ code: 'FLATMIN_ARGUMENT' }),
      );
    }
  });

  it.skipIf(missing !== null)('may be loaded in part', () => {
    const { optimizer } = setUp();
    const part = {
      'state/momentum/w': { data: Float32Array.of(7, 8), shape: [2] },
      extra: { data: new Float32Array(1), shape: [1] },
    };
    expect(optimizer.loadStateDict(part, { strict: false })).toEqual({
      missing: ['status', 'step'],
      unexpected: ['extra'],
    });
    const state = optimizer.stateDict();
    expect([...state['state/momentum/w'].data]).toEqual([7, 8]);
    expect([...state.step.data]).toEqual([1]);
    const bad = { 'state/momentum/w': { data: new Float32Array(1), shape: [1] } };
    expect(refusal(() => optimizer.loadStateDict(bad, { strict: false }))).toContain(
      'has shape [1]',
    );
  });

  it.skipIf(missing !== null)('is not to be had within a step', async () => {
    const params = randomParams();
    const optimizer = sam(params, sgd({ lr: 0.1 }), { device });
    const busy = expect.objectContaining({ code: 'FLATMIN_BUSY' });
    await optimizer.step(() => {
      expect(() => optimizer.stateDict()).toThrow(busy);
      expect(() => optimizer.loadStateDict({})).toThrow(busy);
      return { loss: 0, grads: randomGrads(1) };
    });
    optimizer.stateDict();
  });
});
