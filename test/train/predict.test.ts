/** `predict` of any number of rows: the values of a computation in float64, memory that does not grow, turns. */
import { describe, expect, it, vi } from 'vitest';
import { Program } from '../../src/backend/program.ts';
import {
  batchNorm,
  conv2d,
  embedding,
  flatten,
  type Layer,
  linear,
  lstm,
  ops,
  relu,
  sequential,
  sgd,
  trainStep,
} from '../../src/index.ts';
import { uniforms } from '../../src/random/philox.ts';
import { present } from '../optim/devices.ts';

const WIDTH = 5;
const draws = (count: number, step = 0) =>
  uniforms({ seed: 4, stream: 0, step }, count).map((u) => 2 * u - 1);

describe.each(present)('predict on %s', (device) => {
  const start = (model: Layer, input: number[], options = {}) =>
    trainStep(model, { input, batch: 4, optimizer: sgd({ lr: 0.1 }), device, ...options });

  it.each([0, 1, 2, 3, 4, 5, 8, 33, 255, 256, 257, 300, 1000])(
    'gives %i rows their outputs',
    (rows) => {
      const { model } = start(sequential({ a: linear(7), r: relu(), b: linear(3) }), [WIDTH]);
      const inputs = draws(rows * WIDTH);
      const { data, shape } = model.predict(inputs);
      expect(shape).toEqual([rows, 3]);
      const layer = (x: number[], name: string) => {
        const { data: w, shape } = model.parameters()[`${name}.weight`];
        const { data: b } = model.parameters()[`${name}.bias`];
        return Array.from(b, (bias, o) =>
          x.reduce((sum, v, i) => sum + v * w[o * shape[1] + i], bias),
        );
      };
      const [a, b] = [model.parameters(), model.parameters()];
      expect(a).toEqual(b);
      const wanted = Array.from({ length: rows }, (_, r) => {
        const x = Array.from(inputs.subarray(r * WIDTH, (r + 1) * WIDTH));
        return layer(
          layer(x, 'a').map((v) => Math.max(0, v)),
          'b',
        );
      }).flat();
      expect(data).toHaveLength(wanted.length);
      const worst = wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - data[i])), 0);
      expect(worst).toBeLessThan(2e-6);
    },
  );

  const MODELS: readonly [string, Layer, number[], 'f32' | 'i32'][] = [
    [
      'convolutions, batch norm',
      sequential(conv2d(3, 3), batchNorm(), relu(), flatten(), linear(2)),
      [2, 6, 6],
      'f32',
    ],
    ['sequences', sequential(embedding(7, 4), lstm(5), linear(3)), [6], 'i32'],
  ];
  it.each(MODELS)('gives rows of %s what each has alone', (_, model, input, inputType) => {
    const step = start(model, input, { inputType });
    const width = input.reduce((a, b) => a * b);
    const values = draws(300 * width);
    const inputs =
      inputType === 'f32'
        ? values
        : Int32Array.from(values, (v, i) => (i % 6 > (i / 6) % 6 ? -1 : Math.floor(3 + 3 * v)));
    const { data, shape } = step.model.predict(inputs);
    expect(shape[0]).toBe(300);
    const outWidth = data.length / 300;
    for (const row of [0, 1, 7, 255, 256, 299]) {
      const alone = step.model.predict(inputs.slice(row * width, (row + 1) * width)).data;
      alone.forEach((value, i) => {
        expect(data[row * outWidth + i]).toBeCloseTo(value, 5);
      });
    }
  });

  it('takes a model that is written for one size of batch', () => {
    const { model } = start(
      (x, scope) => scope.call('a', linear(2), ops.reshape(x, [4, WIDTH])),
      [WIDTH],
    );
    expect(model.predict(draws(4 * WIDTH)).shape).toEqual([4, 2]);
  });

  it('makes a plan for a few sizes alone', () => {
    let traced = 0;
    const counting: Layer = (x, scope) => {
      traced += 1;
      return scope.call('a', linear(2), x);
    };
    const { model } = start(counting, [WIDTH]);
    const before = traced;
    for (let rows = 0; rows < 600; rows++) model.predict(draws(rows * WIDTH));
    expect(traced - before).toBe(9);
  });

  it('frees what it made for lengths of long ago, without a turn of the event loop', async () => {
    const bag: Layer = (x, scope) =>
      scope.call('b', linear(2), ops.mean(scope.call('a', embedding(9, 4), x), [1]));
    const { model } = start(bag, [3], { inputType: 'i32' });
    const tokens = (length: number) => ({
      data: Int32Array.from({ length: 2 * length }, (_, i) => (i * i) % 9),
      shape: [2, length],
    });
    const free = vi.spyOn(Program.prototype, 'free');
    const lengths = Array.from({ length: 100 }, (_, i) => 1 + i);
    const first = lengths.map((length) => model.predict(tokens(length)));
    expect(free).toHaveBeenCalledTimes(36);
    // Those of long ago are made anew, and none is freed while it runs.
    expect(lengths.map((length) => model.predict(tokens(length)))).toEqual(first);
    const again = lengths.map((length) => model.predictAsync(tokens(length)));
    expect(await Promise.all(again)).toEqual(first);
    expect(free).toHaveBeenCalledTimes(236);
    free.mockRestore();
  });

  it('off the main thread gives the same bits, in turns with steps', async () => {
    const inputs = draws(4 * WIDTH);
    const labels = Int32Array.of(0, 1, 2, 1);
    const many = draws(300 * WIDTH, 1);
    const make = () => start(sequential(linear(7), relu(), linear(3)), [WIDTH]);
    const one = make();
    const wanted = [
      one.model.predict(many),
      one(inputs, labels),
      one.model.predict(many),
      one(inputs, labels),
    ];
    const other = make();
    const given = many.slice();
    const got = [
      other.model.predictAsync(given),
      other.async(inputs, labels),
      other.model.predictAsync(given),
      other.async(inputs, labels),
    ];
    // Copied at the call.
    given.fill(0);
    for (const sync of [
      () => other(inputs, labels),
      () => other.model.predict(many),
      () => other.model.parameters(),
      () => other.model.stateDict(),
      () => other.stateDict(),
      () => other.loadStateDict({}, { strict: false }),
    ]) {
      expect(sync).toThrow(expect.objectContaining({ code: 'FLATMIN_BUSY' }));
    }
    expect(await Promise.all(got)).toEqual(wanted);
    expect(other.stateDict()).toEqual(one.stateDict());
  });

  it('a step that fails leaves the others their turns', async () => {
    const step = start(linear(3), [WIDTH]);
    const labels = Int32Array.of(0, 1, 2, 1);
    const inputs = draws(4 * WIDTH);
    const failing = step.async(inputs.slice().fill(NaN), labels);
    const after = step.async(inputs, labels);
    await expect(failing).rejects.toMatchObject({ code: 'FLATMIN_NUMERICS' });
    expect(await after).toBe(start(linear(3), [WIDTH])(inputs, labels));
  });

  it('says what it takes', async () => {
    const step = start(linear(3), [WIDTH]);
    const messages = [
      () => step.model.predict([1, 2] as never),
      () => step.model.predict(new Float32Array(7)),
      () => step(new Float32Array(35), new Int32Array(7)),
      () => step(new Float32Array(20), new Int32Array(7)),
      () => step(new Float32Array(21), new Int32Array(4)),
      () => step([1] as never, new Int32Array(4)),
    ].map((body) => {
      try {
        return body();
      } catch (error) {
        return `${(error as { code: string }).code}: ${(error as Error).message}`;
      }
    });
    expect(messages).toMatchInlineSnapshot(`
      [
        "FLATMIN_ARGUMENT: The inputs of predict must be a Float32Array, got [ 1, 2 ]",
        "FLATMIN_ARGUMENT: predict expects rows of [5], 5 numbers each, got 7 numbers. Help: rows of another shape are predict({ data, shape }).",
        "FLATMIN_ARGUMENT: The inputs of a step are a batch of 4, [4, 5], 20 numbers; got 35, a batch of 7. Help: compile a step for every size of batch.",
        "FLATMIN_ARGUMENT: The labels of a step are a batch of 4, [4], 4 numbers; got 7, a batch of 7. Help: compile a step for every size of batch.",
        "FLATMIN_ARGUMENT: The inputs of a step are a batch of 4, [4, 5], 20 numbers; got 21, no whole number of rows. Help: compile a step for every size of batch.",
        "FLATMIN_ARGUMENT: The inputs of a step must be a Float32Array, got [ 1 ]",
      ]
    `);
    await expect(step.model.predictAsync('x' as never)).rejects.toMatchObject({
      code: 'FLATMIN_ARGUMENT',
    });
    await expect(step.async('x' as never, 'y' as never)).rejects.toMatchObject({
      code: 'FLATMIN_ARGUMENT',
    });
  });
});
