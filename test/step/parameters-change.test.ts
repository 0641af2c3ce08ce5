/** Door 1: parameters that join a running optimizer, and those that leave it. */
import { describe, expect, it } from 'vitest';
import {
  adam,
  adamw,
  clip,
  groups,
  kfac,
  lion,
  type Params,
  type StateDict,
  sam,
  shampoo,
} from '../../src/index.ts';
import { devices } from '../optim/devices.ts';
import { METHODS } from '../optim/methods.ts';
import { bytesOf, copyParams, randomGrads, randomParams } from '../optim/tensors.ts';

/** Enim draws by a tensor's place among all, so that one alone draws otherwise. */
const BY_PLACE = ['enim'];

const SHAPES = { a: [3, 2], b: [2, 3], c: [4] };
const LATE = { late: [3, 2], 'a.late': [2] };

type Changing = Record<string, Params[string]>;

describe.each(devices)('parameters on $title', ({ device, missing }) => {
  const there = it.skipIf(missing !== null);

  there.each(METHODS.filter(({ name }) => !BY_PLACE.includes(name)))(
    'that join $name step as in a fresh one, the others as before',
    ({ bind }) => {
      const params: Changing = { ...randomParams(SHAPES) };
      const optimizer = bind(params, 0.1, { device, onNonFinite: 'skip' });
      const oldOnes = copyParams(params);
      const old = bind(oldOnes, 0.1, { device, onNonFinite: 'skip' });
      const step = (t: number, poison = false) => {
        const grads = { ...randomGrads(t, SHAPES) };
        if (poison) grads.c[1] = NaN;
        old.step(grads);
        return grads;
      };
      for (let t = 1; t <= 7; t++) optimizer.step(step(t, t === 3));
      const lateOnes = randomParams(LATE);
      Object.assign(params, lateOnes);
      const freshOnes = copyParams(lateOnes);
      const fresh = bind(freshOnes, 0.1, { device, onNonFinite: 'skip' });
      for (let t = 8; t <= 30; t++) {
        const late = randomGrads(100 + t, LATE);
        if (t === 12) late.late[0] = NaN;
        // One bad gradient skips the step of all.
        optimizer.step({ ...step(t, t === 12), ...late });
        fresh.step(late);
      }
      const of = (names: object) =>
        Object.fromEntries(Object.keys(names).map((name) => [name, params[name]]));
      expect(bytesOf(of(oldOnes))).toBe(bytesOf(oldOnes));
      expect(bytesOf(of(freshOnes))).toBe(bytesOf(freshOnes));

      // A state dict carries it all on.
      const copies = copyParams(params);
      const second = bind(copies, 0.1, { device, onNonFinite: 'skip' });
      expect(second.loadStateDict(optimizer.stateDict())).toEqual({ missing: [], unexpected: [] });
      expect(second.stateDict()).toEqual(optimizer.stateDict());
      // Those that leave take their state with them.
      const gone = Object.keys(SHAPES).slice(0, 2);
      for (const name of gone) {
        delete params[name];
        delete (copies as Changing)[name];
      }
      const { a: _, b: __, ...left } = { ...SHAPES, ...LATE };
      for (let t = 31; t <= 34; t++) {
        const grads = randomGrads(t, left);
        optimizer.step(grads);
        second.step(grads);
      }
      expect(bytesOf(copies)).toBe(bytesOf(params));
      const names = Object.keys(optimizer.stateDict());
      expect(names.filter((key) => gone.some((name) => key.endsWith(`/${name}`)))).toEqual([]);
    },
  );

  there('that come back begin anew', () => {
    const params: Changing = { ...randomParams(SHAPES) };
    const optimizer = adam(params, { lr: 0.1, device });
    for (let t = 1; t <= 5; t++) optimizer.step(randomGrads(t, SHAPES));
    delete params.c;
    const { c: _, ...rest } = SHAPES;
    optimizer.step(randomGrads(6, rest));
    // Another shape is another tensor.
    params.c = { data: new Float32Array(2), shape: [1, 2] };
    optimizer.step({ ...randomGrads(7, rest), c: Float32Array.of(3, -0.5) });
    const [first, second] = params.c.data;
    expect(first).toBeCloseTo(-0.1, 6);
    expect(second).toBeCloseTo(0.1, 6);
    expect([...optimizer.stateDict()['joined/c'].data]).toEqual([6, 0]);
  });

  there('of another shape are refused, with the state as it was', () => {
    const params: Changing = { w: { data: new Float32Array(4), shape: [2, 2] } };
    const optimizer = shampoo(params, { lr: 0.1, device });
    const grads = { w: Float32Array.of(1, 2, 3, 4) };
    optimizer.step(grads);
    const state = optimizer.stateDict();
    const { w } = params;
    for (const shape of [[4], [1, 4], [8], [3]]) {
      params.w = { data: new Float32Array(shape.reduce((a, b) => a * b)), shape };
      expect(() => optimizer.step({ w: params.w.data.slice() })).toThrow(
        expect.objectContaining({ code: 'FLATMIN_ARGUMENT' }),
      );
    }
    expect(() => optimizer.step({ w: new Float32Array(3) })).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: Parameter "w" must have the shape [2, 2] that it joined with, got [3]. Help: give the new tensor another name, or step once without the old one.]`,
    );
    params.w = w;
    expect(optimizer.stateDict()).toEqual(state);
    optimizer.step(grads);
    params.x = { data: new Float32Array(2), shape: [2] };
    expect(() => optimizer.step(grads)).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: Gradients are missing for "x"]`,
    );
    for (const name of ['w', 'x']) delete params[name];
    expect(() => optimizer.step({})).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: There are no parameters to train]`,
    );
  });

  there('may join wrappers and groups', () => {
    const params: Changing = { ...randomParams(SHAPES) };
    const list = [
      { match: /c|late/, optimizer: adamw({ lr: 0.1, weightDecay: 0 }) },
      { optimizer: lion({ lr: 0.1 }) },
    ];
    const optimizer = groups(params, list, { device });
    for (let t = 1; t <= 5; t++) optimizer.step(randomGrads(t, SHAPES));
    params.late = { data: new Float32Array(1), shape: [1] };
    optimizer.step({ ...randomGrads(6, SHAPES), late: Float32Array.of(4) });
    expect(params.late.data[0]).toBeCloseTo(-0.1, 6);

    const others: Changing = { ...randomParams(SHAPES) };
    const clipped = clip(others, adam({ lr: 0.1 }), { norm: 1, device });
    for (let t = 1; t <= 5; t++) clipped.step(randomGrads(t, SHAPES));
    others.late = { data: new Float32Array(1), shape: [1] };
    clipped.step({ ...randomGrads(6, SHAPES), late: Float32Array.of(4) });
    expect(others.late.data[0]).toBeCloseTo(-0.1, 6);
  });

  there('change between steps, not within one', async () => {
    const params: Changing = { ...randomParams(SHAPES) };
    const optimizer = sam(params, adam({ lr: 0.1 }), { device });
    const before = bytesOf(params);
    const late = { data: new Float32Array(1), shape: [1] };
    await expect(
      optimizer.step(() => {
        params.late = late;
        return { loss: 0, grads: { ...randomGrads(1, SHAPES), late: Float32Array.of(1) } };
      }),
    ).rejects.toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: Parameters joined or left within a step. Help: change them between two steps.]`,
    );
    const { late: _, ...old } = params;
    expect(bytesOf(old)).toBe(before);
    await optimizer.step(() => {
      return { loss: 0, grads: { ...randomGrads(1, SHAPES), late: Float32Array.of(1) } };
    });
    expect(late.data[0]).toBeCloseTo(-0.1, 6);
    delete params.late;
    await optimizer.stepAsync(() => ({ loss: 0, grads: randomGrads(2, SHAPES) }));
    expect(late.data[0]).toBeCloseTo(-0.1, 6);
  });

  there('of K-FAC leave with what was observed of them', () => {
    const params: Changing = { ...randomParams({ 'p.weight': [2, 2], 'q.weight': [3, 2] }) };
    const optimizer = kfac(params, { lr: 0.1, device, statisticsEvery: 1 });
    const observe = (layer: string, out: number) =>
      optimizer.observe(layer, {
        inputs: Float32Array.of(1, 2, -1, 0),
        outputGrads: Float32Array.from({ length: 2 * out }, (_, i) => i / 5 - 0.4),
      });
    observe('p', 2);
    observe('q', 3);
    optimizer.step(randomGrads(1, { 'p.weight': [2, 2], 'q.weight': [3, 2] }));
    delete params['q.weight'];
    observe('p', 2);
    optimizer.step(randomGrads(2, { 'p.weight': [2, 2] }));
    params['r.weight'] = { data: new Float32Array(4), shape: [2, 2] };
    observe('p', 2);
    observe('r', 2);
    optimizer.step(randomGrads(3, { 'p.weight': [2, 2], 'r.weight': [2, 2] }));
    expect(params['r.weight'].data.every((v) => v !== 0)).toBe(true);
    expect(Object.keys(optimizer.stateDict())).toContain('state/a/r.weight@2');
  });

  describe.skipIf(missing !== null)('by strict: false', () => {
    const make = (params: Params) => adam(params, { lr: 0.1, device });
    const trained = (): StateDict => {
      const params = { a: { data: new Float32Array(1), shape: [1] } };
      const optimizer = make(params);
      for (let t = 0; t < 1000; t++) optimizer.step({ a: Float32Array.of(1) });
      return optimizer.stateDict();
    };
    const both = () => ({
      a: { data: new Float32Array(1), shape: [1] },
      b: { data: new Float32Array(1), shape: [1] },
    });
    const grads = { a: Float32Array.of(1), b: Float32Array.of(1) };

    it('begin as in a first step', () => {
      const params = both();
      const optimizer = make(params);
      expect(optimizer.loadStateDict(trained(), { strict: false })).toEqual({
        missing: ['state/m/b@1000', 'state/v/b@1000'],
        unexpected: [],
      });
      optimizer.step(grads);
      expect(params.b.data[0]).toBeCloseTo(-0.1, 6);
      expect(params.a.data[0]).toBeCloseTo(-0.1, 4);
    });

    it('keep their own state and count', () => {
      const [params, alone] = [both(), both()];
      const [optimizer, other] = [make(params), make(alone)];
      const step = (of: typeof optimizer, b: number) =>
        of.step({ a: Float32Array.of(1), b: Float32Array.of(b) });
      for (const b of [1, -3, 2]) for (const of of [optimizer, other]) step(of, b);
      optimizer.loadStateDict(trained(), { strict: false });
      for (const b of [4, -1]) for (const of of [optimizer, other]) step(of, b);
      expect(params.b.data).toEqual(alone.b.data);
      // Nothing of any parameter: nothing changes but what is there.
      const state = optimizer.stateDict();
      optimizer.loadStateDict({}, { strict: false });
      expect(optimizer.stateDict()).toEqual(state);
    });

    it('leave, of Shampoo its counters of failures too', () => {
      const given = { a: { data: new Float32Array(4), shape: [2, 2] }, b: both().b };
      const first = shampoo(given, { lr: 0.1, device });
      first.step({ a: Float32Array.of(1, 2, 3, 5), b: Float32Array.of(1) });
      const params = copyParams({ a: given.a });
      const second = shampoo(params, { lr: 0.1, device });
      expect(second.loadStateDict(first.stateDict(), { strict: false }).missing).toEqual([
        'state/failures',
      ]);
      second.step({ a: Float32Array.of(1, 2, 3, 5) });
      first.step({ a: Float32Array.of(1, 2, 3, 5), b: Float32Array.of(1) });
      expect(params.a.data).toEqual(given.a.data);
    });

    it('have ages that are whole, or the state is refused', () => {
      const optimizer = make(both());
      const bad = { ...optimizer.stateDict(), 'joined/b': { data: Int32Array.of(5), shape: [1] } };
      expect(() => optimizer.loadStateDict(bad)).toThrowErrorMatchingInlineSnapshot(
        `[FlatminError: The state does not fit: "joined/b" must be an Int32Array of shape [2], counts of steps or epochs]`,
      );
      const stray = {
        ...optimizer.stateDict(),
        'joined/c': { data: Int32Array.of(5, 0), shape: [2] },
      };
      expect(() => optimizer.loadStateDict(stray)).toThrow('"joined/c" is unexpected');
    });
  });
});
