/** Steps off the main thread: the same bits, in place on shared memory, safe with arrays that go away. */
import { describe, expect, it } from 'vitest';
import { type BoundOptimizer, type Grads, lion, type Params, sam, sgd } from '../../src/index.ts';
import { present } from '../optim/devices.ts';
import { METHODS } from '../optim/methods.ts';
import { bytesOf, copyParams, randomGrads, randomParams } from '../optim/tensors.ts';

/** As es2024 has them, which the compiler is not told of. */
interface Resizable extends ArrayBuffer {
  resize(bytes: number): void;
}

const resizable = (bytes: number): Resizable =>
  Reflect.construct(ArrayBuffer, [bytes, { maxByteLength: 64 }]);

const onShared = (params: Params): Params =>
  Object.fromEntries(
    Object.entries(params).map(([name, { data, shape }]) => {
      const shared = new Float32Array(new SharedArrayBuffer(data.byteLength));
      shared.set(data);
      return [name, { data: shared, shape }];
    }),
  );

describe.each(present)('stepAsync on %s', (device) => {
  it.each(METHODS)('gives the bits of step: $name', async ({ bind }) => {
    const params = [randomParams(), randomParams(), onShared(randomParams())];
    const [sync, copied, shared] = params.map((p) => bind(p, 0.01, { device }));
    for (let t = 1; t <= 4; t++) {
      sync.step(randomGrads(t));
      await copied.stepAsync(randomGrads(t));
      await shared.stepAsync(randomGrads(t));
    }
    expect(bytesOf(params[1])).toBe(bytesOf(params[0]));
    expect(bytesOf(params[2])).toBe(bytesOf(params[0]));
    expect(shared.stateDict()).toEqual(sync.stateDict());
  });

  it('serves methods with closures', async () => {
    const run = async (step: 'step' | 'stepAsync') => {
      const params = randomParams();
      const optimizer = sam(params, sgd({ lr: 0.1 }), { rho: 0.2, device });
      const closure = () => ({
        loss: params.vector.data.reduce((sum, v) => sum + v ** 4 / 4, 0),
        grads: Object.fromEntries(
          Object.entries(params).map(([name, { data }]) => [name, data.map((v) => v ** 3)]),
        ),
      });
      const losses = [await optimizer[step](closure), await optimizer[step](closure)];
      return { losses, sharpness: optimizer.sharpness, bytes: bytesOf(params) };
    };
    expect(await run('stepAsync')).toEqual(await run('step'));
  });

  it('reads gradients before it returns, and writes parameters when it resolves', async () => {
    const [params, twin] = [randomParams(), randomParams()];
    const before = bytesOf(params);
    const grads = randomGrads(1);
    const done = lion(params, { lr: 0.1, device }).stepAsync(grads);
    expect(bytesOf(params)).toBe(before);
    for (const g of Object.values(grads)) g.fill(Number.NaN);
    await done;
    lion(twin, { lr: 0.1, device }).step(randomGrads(1));
    expect(bytesOf(params)).toBe(bytesOf(twin));
  });

  it('refuses a second step and a look at the state meanwhile', async () => {
    const optimizer = lion(randomParams(), { lr: 0.1, device });
    const done = optimizer.stepAsync(randomGrads(1));
    expect(() => optimizer.step(randomGrads(2))).toThrow(/A step is in progress/);
    await expect(optimizer.stepAsync(randomGrads(2))).rejects.toThrow(/A step is in progress/);
    expect(() => optimizer.stateDict()).toThrow(/A step is in progress/);
    await done;
    optimizer.step(randomGrads(2));
  });

  it('rejects gradients that are not finite, naming the tensor, and goes on after it', async () => {
    const params = randomParams();
    const optimizer = lion(params, { lr: 0.1, device });
    const before = bytesOf(params);
    const bad: Grads = { ...randomGrads(1), vector: new Float32Array(7).fill(Number.NaN) };
    await expect(optimizer.stepAsync(bad)).rejects.toThrow(/vector/);
    expect(bytesOf(params)).toBe(before);
    await optimizer.stepAsync(randomGrads(1));
    expect(bytesOf(params)).not.toBe(before);
  });

  const vanish: Record<string, (data: Float32Array) => void> = {
    detached: ({ buffer }) => void structuredClone(buffer, { transfer: [buffer as ArrayBuffer] }),
    shrunk: ({ buffer }) => (buffer as Resizable).resize(8),
    'shrunk to nothing': ({ buffer }) => (buffer as Resizable).resize(0),
  };
  it.each(Object.entries(vanish))(
    'survives a parameter that is %s meanwhile, and steps the others',
    async (_, lose) => {
      const make = (): Params => {
        const { matrix, vector } = randomParams();
        const data = new Float32Array(resizable(28));
        data.set(vector.data);
        return { vector: { data, shape: [7] }, matrix };
      };
      const [params, twin] = [make(), copyParams(make())];
      const grads = ({ vector, matrix }: Grads): Grads => ({ vector, matrix });
      const optimizer: BoundOptimizer = sgd(params, { lr: 0.1, momentum: 0.9, device });
      const done = optimizer.stepAsync(grads(randomGrads(1)));
      lose(params.vector.data);
      await expect(done).rejects.toMatchObject({ code: 'FLATMIN_ARGUMENT' });
      sgd(twin, { lr: 0.1, momentum: 0.9, device }).step(grads(randomGrads(1)));
      expect([...params.matrix.data]).toEqual([...twin.matrix.data]);
      await expect(optimizer.stepAsync(grads(randomGrads(2)))).rejects.toMatchObject({
        code: 'FLATMIN_ARGUMENT',
      });
      expect([...optimizer.stateDict().step.data]).toEqual([1]);
    },
  );

  it('survives gradients that are gone at once', async () => {
    const [params, twin] = [randomParams(), randomParams()];
    const grads = randomGrads(1);
    const done = lion(params, { lr: 0.1, device }).stepAsync(grads);
    for (const { buffer } of Object.values(grads)) {
      structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
    }
    await done;
    lion(twin, { lr: 0.1, device }).step(randomGrads(1));
    expect(bytesOf(params)).toBe(bytesOf(twin));
  });
});
