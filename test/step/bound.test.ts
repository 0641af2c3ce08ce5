/** Door 1: what happens to the caller's arrays, and what is refused. */
import { describe, expect, it } from 'vitest';
import { FlatminError, type Grads, lion, type Params, sgd } from '../../src/index.ts';
import { devices } from '../optim/devices.ts';
import { METHODS } from '../optim/methods.ts';
import { bytesOf, constantGrads, copyParams, randomGrads, randomParams } from '../optim/tensors.ts';

/** Methods by which one element of a tensor decides on all. */
const SPREADING = ['shampoo', 'muon', 'enim'];

/** A resizable ArrayBuffer, which is newer than the library's target. */
const resizable = (bytes: number): ArrayBuffer & { resize(bytes: number): void } =>
  Reflect.construct(ArrayBuffer, [bytes, { maxByteLength: 64 }]);

/** The error of a call, which must be FLATMIN_ARGUMENT. */
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

describe.each(devices)('a bound optimizer on $title', ({ device, missing }) => {
  const setUp = () => {
    const params = {
      'fc.Weight': { data: Float32Array.of(1, 2, 3, 4), shape: [2, 2] },
      'fc.bias': { data: Float32Array.of(5, 6), shape: [2] },
    };
    const grads = { 'fc.Weight': new Float32Array(4).fill(1), 'fc.bias': Float32Array.of(1, 1) };
    const optimizer = lion(params, { lr: 0.5, device });
    const step = (changes: Record<string, unknown> = {}) =>
      optimizer.step({ ...grads, ...changes } as Grads);
    return { params, grads, optimizer, step };
  };

  describe.skipIf(missing !== null)('refuses gradients', () => {
    const cases: [string, unknown][] = [
      ['of another length', { 'fc.bias': new Float32Array(3) }],
      ['that are Float64Arrays', { 'fc.bias': new Float64Array(2) }],
      ['that are arrays', { 'fc.bias': [1, 1] }],
      ['that are DataViews', { 'fc.bias': new DataView(new ArrayBuffer(8)) }],
      ['that are undefined', { 'fc.bias': undefined }],
      ['that are null', { 'fc.bias': null }],
      ['of no parameter', { 'fc.gain': new Float32Array(2) }],
    ];
    it.each(cases)('%s', (_, changes) => {
      const { params, step } = setUp();
      const before = bytesOf(params);
      refusal(() => step(changes as Record<string, unknown>));
      expect(bytesOf(params)).toBe(before);
    });

    it('in whole sentences', () => {
      const { grads, optimizer, step } = setUp();
      expect(refusal(() => step({ 'fc.bias': new Float32Array(3) }))).toMatchInlineSnapshot(
        `"The gradient of "fc.bias" must have 2 elements, got 3"`,
      );
      expect(refusal(() => step({ 'fc.bias': new Float64Array(2) }))).toMatchInlineSnapshot(
        `"The gradient of "fc.bias" must be a Float32Array of 2 elements, got Float64Array"`,
      );
      expect(refusal(() => step({ gain: new Float32Array(2) }))).toMatchInlineSnapshot(
        `"Gradients came for "gain", which are no parameters"`,
      );
      expect(
        refusal(() => optimizer.step({ 'fc.Weight': grads['fc.Weight'] })),
      ).toMatchInlineSnapshot(`"Gradients are missing for "fc.bias""`);
      expect(refusal(() => optimizer.step(undefined as never))).toMatchInlineSnapshot(
        `"Gradients must be an object of entries by name, got undefined"`,
      );
      expect(refusal(() => optimizer.step(new Float32Array(6) as never))).toMatchInlineSnapshot(
        `"Gradients must be an object of entries by name, got Float32Array"`,
      );
    });

    it('that were transferred', () => {
      const { params, grads, step } = setUp();
      const before = bytesOf(params);
      const gone = grads['fc.bias'];
      structuredClone(gone, { transfer: [gone.buffer] });
      expect(refusal(() => step())).toMatchInlineSnapshot(
        `"The gradient of "fc.bias" is detached: its buffer was transferred or resized to nothing"`,
      );
      expect(bytesOf(params)).toBe(before);
    });

    it('that were resized', () => {
      const { params, step } = setUp();
      const before = bytesOf(params);
      const buffer = resizable(8);
      const tracking = new Float32Array(buffer);
      const fixed = new Float32Array(buffer, 0, 2);
      step({ 'fc.bias': tracking });
      const after = bytesOf(params);
      expect(after).not.toBe(before);
      buffer.resize(16);
      expect(refusal(() => step({ 'fc.bias': tracking }))).toContain('must have 2 elements, got 4');
      buffer.resize(4);
      refusal(() => step({ 'fc.bias': tracking }));
      refusal(() => step({ 'fc.bias': fixed }));
      buffer.resize(0);
      refusal(() => step({ 'fc.bias': fixed }));
      expect(bytesOf(params)).toBe(after);
    });

    it('that overlap a parameter', () => {
      const { params, step } = setUp();
      const before = bytesOf(params);
      const weight = params['fc.Weight'].data;
      const overlapping = new Float32Array(weight.buffer, 8, 2);
      expect(refusal(() => step({ 'fc.bias': overlapping }))).toMatchInlineSnapshot(
        `"Parameter "fc.Weight" and the gradient of "fc.bias" overlap in memory; give each its own"`,
      );
      refusal(() => step({ 'fc.Weight': weight }));
      expect(bytesOf(params)).toBe(before);
    });
  });

  describe.skipIf(missing !== null)('refuses parameters', () => {
    it('that were transferred since', () => {
      const { params, step } = setUp();
      const { data } = params['fc.Weight'];
      structuredClone(data, { transfer: [data.buffer] });
      const before = [...params['fc.bias'].data];
      expect(refusal(() => step())).toMatchInlineSnapshot(
        `"Parameter "fc.Weight" is detached: its buffer was transferred or resized to nothing"`,
      );
      expect([...params['fc.bias'].data]).toEqual(before);
    });

    it('that were resized since', () => {
      const buffer = resizable(16);
      const params = { w: { data: new Float32Array(buffer), shape: [4] } };
      const optimizer = sgd(params, { lr: 1, device });
      buffer.resize(64);
      refusal(() => optimizer.step({ w: new Float32Array(4) }));
      buffer.resize(0);
      refusal(() => optimizer.step({ w: new Float32Array(4) }));
      buffer.resize(16);
      optimizer.step({ w: new Float32Array(4).fill(-1) });
      expect([...params.w.data]).toEqual([1, 1, 1, 1]);
    });

    it('that overlap each other, at the first step', () => {
      const buffer = new ArrayBuffer(24);
      const params = {
        a: { data: new Float32Array(buffer, 0, 4), shape: [4] },
        b: { data: new Float32Array(buffer, 12, 3), shape: [3] },
      };
      const optimizer = sgd(params, { lr: 1, device });
      expect(
        refusal(() => optimizer.step({ a: new Float32Array(4), b: new Float32Array(3) })),
      ).toMatchInlineSnapshot(
        `"Parameter "a" and parameter "b" overlap in memory; give each its own"`,
      );
    });

    const bad: [string, unknown][] = [
      ['undefined', undefined],
      ['null', null],
      ['an array of numbers', new Float32Array(3)],
      ['none at all', {}],
      ['a tensor that is null', { w: null }],
      ['a tensor without a shape', { w: { data: new Float32Array(3) } }],
      ['a tensor without data', { w: { shape: [3] } }],
      ['a tensor of doubles', { w: { data: new Float64Array(3), shape: [3] } }],
      ['a shape that does not fit', { w: { data: new Float32Array(3), shape: [2, 2] } }],
      ['a negative dimension', { w: { data: new Float32Array(3), shape: [-3] } }],
      ['a fractional dimension', { w: { data: new Float32Array(3), shape: [1.5, 2] } }],
      ['a dimension that is no number', { w: { data: new Float32Array(3), shape: ['3'] } }],
      ['a dimension that is a bigint', { w: { data: new Float32Array(3), shape: [3n] } }],
    ];
    it.each(bad)('%s', (_, params) => {
      refusal(() => sgd(params as Params, { lr: 1, device }));
    });
  });

  it.skipIf(missing !== null)('works on views, and leaves what is around them', () => {
    const memory = new Float32Array(12).fill(7);
    const params = { w: { data: memory.subarray(3, 8), shape: [5] } };
    const gradients = new Float32Array(9).fill(1);
    sgd(params, { lr: 1, device }).step({ w: gradients.subarray(2, 7) });
    expect([...memory]).toEqual([7, 7, 7, 6, 6, 6, 6, 6, 7, 7, 7, 7]);
    expect([...gradients]).toEqual(Array(9).fill(1));
  });

  it.skipIf(missing !== null)('works on shared memory', () => {
    const data = new Float32Array(new SharedArrayBuffer(8));
    sgd({ w: { data, shape: [2] } }, { lr: 1, device }).step({ w: Float32Array.of(1, 2) });
    expect([...data]).toEqual([-1, -2]);
  });

  it.skipIf(missing !== null)('refuses a closure that gives nothing', async () => {
    const { params, optimizer } = setUp();
    const before = bytesOf(params);
    for (const nothing of [undefined, null, 3, { loss: 1 }]) {
      await expect(optimizer.step(() => nothing as never)).rejects.toMatchObject({
        code: 'FLATMIN_ARGUMENT',
      });
    }
    expect(bytesOf(params)).toBe(before);
  });

  describe.skipIf(missing !== null).each(METHODS)('$name', ({ bind }) => {
    const poisoned = (t: number, value = NaN) => {
      const grads = randomGrads(t);
      grads.kernel[5] = value;
      return grads;
    };

    it.each([NaN, Infinity, -Infinity])('throws at a gradient of %f, changing nothing', (value) => {
      const params = randomParams();
      const optimizer = bind(params, 0.1, { device });
      const other = copyParams(params);
      const clean = bind(other, 0.1, { device });
      optimizer.step(randomGrads(1));
      clean.step(randomGrads(1));
      const before = bytesOf(params);
      let error: unknown;
      try {
        optimizer.step(poisoned(2, value));
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toBeInstanceOf(FlatminError);
      expect(error).toMatchObject({ code: 'FLATMIN_NUMERICS' });
      expect((error as FlatminError).message).toMatch(
        /^The gradient of "kernel" is not finite at step 2\. /,
      );
      expect(bytesOf(params)).toBe(before);
      // Its state is as before, too, and the step is not counted.
      for (let t = 2; t < 6; t++) {
        optimizer.step(randomGrads(t));
        clean.step(randomGrads(t));
      }
      expect(bytesOf(params)).toBe(bytesOf(other));
    });

    it('skips a bad gradient, changing nothing', () => {
      const params = randomParams();
      const optimizer = bind(params, 0.1, { device, onNonFinite: 'skip' });
      const before = bytesOf(params);
      optimizer.step(poisoned(1));
      expect(bytesOf(params)).toBe(before);
      optimizer.step(randomGrads(1));
      const other = randomParams();
      const clean = bind(other, 0.1, { device });
      clean.step(randomGrads(1));
      // The first step that is taken is the first of the state: AdamW's t is 1.
      expect(bytesOf(params)).toBe(bytesOf(other));
      optimizer.step(poisoned(2));
      expect(bytesOf(params)).toBe(bytesOf(other));
      optimizer.step(randomGrads(2));
      clean.step(randomGrads(2));
      expect(bytesOf(params)).toBe(bytesOf(other));
    });

    it('takes gradients of 0 without a NaN', () => {
      const params = randomParams();
      const optimizer = bind(params, 0.1, { device });
      for (let t = 0; t < 3; t++) optimizer.step(constantGrads(params, 0));
      for (const { data } of Object.values(params)) expect(data.every(Number.isFinite)).toBe(true);
    });

    it('takes the same steps with a closure', async () => {
      const params = randomParams();
      const other = copyParams(params);
      const optimizer = bind(params, 0.1, { device });
      const direct = bind(other, 0.1, { device });
      for (let t = 1; t < 4; t++) {
        expect(await optimizer.step(() => ({ loss: t, grads: randomGrads(t) }))).toBe(t);
        direct.step(randomGrads(t));
      }
      expect(bytesOf(params)).toBe(bytesOf(other));
    });
  });

  it.skipIf(missing !== null)('lets a NaN through with "allow"', () => {
    for (const { name, bind } of METHODS.filter((method) => !SPREADING.includes(method.name))) {
      const params = randomParams();
      const grads = randomGrads(1);
      grads.vector[2] = NaN;
      const optimizer = bind(params, 0.1, { device, onNonFinite: 'allow' });
      optimizer.step(grads); // SOAP's first leaves parameters alone
      optimizer.step(grads);
      expect(params.vector.data.findIndex(Number.isNaN), name).toBe(2);
      expect(params.vector.data.filter(Number.isNaN), name).toHaveLength(1);
    }
  });

  it.skipIf(missing !== null)('never lets one into a statistic', () => {
    const params = randomParams();
    const grads = randomGrads(1);
    grads.vector[2] = NaN;
    const { bind } = METHODS[3];
    const before = bytesOf(params);
    const optimizer = bind(params, 0.1, { device, onNonFinite: 'allow' });
    expect(() => optimizer.step(grads)).toThrow(
      expect.objectContaining({
        code: 'FLATMIN_NUMERICS',
        message: expect.stringContaining('"vector"'),
      }),
    );
    expect(bytesOf(params)).toBe(before);
  });
});
