/** K-FAC on the caller's arrays, which show it what their layers saw. */
import { describe, expect, it, vi } from 'vitest';
import { Program } from '../../src/backend/program.ts';
import { groups, type KfacOptions, kfac, sgd } from '../../src/index.ts';
import { uniforms } from '../../src/random/philox.ts';
import { devices, present } from './devices.ts';
import { kfacOracle } from './oracles/kfac.ts';
import { bytesOf, doubleParams } from './tensors.ts';

describe.each(devices)('kfac on arrays on $title', ({ device, missing }) => {
  const [out, features, rows] = [2, 3, 5];
  const setUp = (given: Partial<KfacOptions> = {}) => {
    const draw = (n: number, step: number) =>
      uniforms({ seed: 5, stream: 0, step }, n).map((u) => 2 * u - 1);
    const params = {
      'fc.weight': { data: draw(out * features, 0), shape: [out, features] },
      'fc.bias': { data: draw(out, 1), shape: [out] },
      gain: { data: draw(2, 2), shape: [2] },
    };
    const optimizer = kfac(params, { lr: 0.1, damping: 0.05, ...given, device });
    const inputs = (t: number) => draw(rows * features, 10 * t);
    // Of the batch mean: 1/rows of those of single examples.
    const outputGrads = (t: number) => draw(rows * out, 10 * t + 1).map((g) => g / rows);
    const grads = (t: number) => {
      const [x, dy] = [inputs(t), outputGrads(t)];
      const weight = new Float32Array(out * features);
      const bias = new Float32Array(out);
      for (let r = 0; r < rows; r++) {
        for (let o = 0; o < out; o++) {
          bias[o] += dy[r * out + o];
          for (let i = 0; i < features; i++) {
            weight[o * features + i] += dy[r * out + o] * x[r * features + i];
          }
        }
      }
      return { 'fc.weight': weight, 'fc.bias': bias, gain: Float32Array.of(1, -1) };
    };
    return { params, optimizer, inputs, outputGrads, grads };
  };

  it.skipIf(missing !== null).each(['inverse', 'eigen'] as const)(
    'follows its equations on what it was shown: %s',
    (form) => {
      const every = { statisticsEvery: 2, inversesEvery: 2 };
      const variant = { form, ...every, weightDecay: 0.1, momentum: 0.5 };
      const { params, optimizer, inputs, outputGrads, grads } = setUp(variant);
      const reference = doubleParams(params);
      const { step, tolerance } = kfacOracle({ damping: 0.05, ...variant });
      let velocity = [0, 0];
      for (let t = 1; t <= 10; t++) {
        if (t % 2 === 1)
          optimizer.observe('fc', { inputs: inputs(t), outputGrads: outputGrads(t) });
        const examples = Array.from({ length: rows }, (_, r) => [
          {
            name: 'fc',
            inputs: [[...inputs(t).subarray(r * features, (r + 1) * features), 1]],
            grads: [[...outputGrads(t).subarray(r * out, (r + 1) * out)].map((g) => g * rows)],
          },
        ]);
        // The rest steps by SGD with momentum and coupled decay.
        const gain = reference.gain.data;
        velocity = velocity.map((v, i) => 0.5 * v + [1, -1][i] + 0.1 * gain[i]);
        velocity.forEach((v, i) => {
          gain[i] -= 0.1 * v;
        });
        step(reference, { data: examples, fisher: examples }, 0.1, t);
        optimizer.step(grads(t));
      }
      expect(tolerance()).toBeLessThan(1e-3);
      for (const [name, { data }] of Object.entries(params)) {
        data.forEach((x, i) => {
          const error = Math.abs(x - reference[name].data[i]);
          expect(error, `${name}[${i}]`).toBeLessThanOrEqual(tolerance() + 1e-6);
        });
      }
    },
  );

  it.skipIf(missing !== null)('sees the windows of a convolution', () => {
    const [outs, channels, height, width] = [2, 2, 3, 2];
    const image = [4, 5] as const;
    const [stride, padding] = [[1, 2] as const, 1];
    const [down, across] = [4, 3]; // outputs
    const draw = (n: number, step: number) =>
      uniforms({ seed: 6, stream: 0, step }, n).map((u) => 2 * u - 1);
    const weight = [outs, channels, height, width];
    const size = weight.reduce((n, d) => n * d, 1);
    const params = {
      'conv.weight': { data: draw(size, 0), shape: weight },
      'conv.bias': { data: draw(outs, 1), shape: [outs] },
    };
    const reference = doubleParams(params);
    const every = { statisticsEvery: 2, inversesEvery: 2, weightDecay: 0.1 };
    const optimizer = kfac(params, { lr: 0.1, damping: 0.05, ...every, device });
    const { step, tolerance } = kfacOracle({ damping: 0.05, ...every });
    for (let t = 1; t <= 6; t++) {
      const inputs = draw(rows * channels * image[0] * image[1], 10 * t);
      const outputGrads = draw(rows * outs * down * across, 10 * t + 1).map((g) => g / rows);
      const window = (n: number, y: number, x: number): number[] =>
        Array.from({ length: size / outs }, (_, k) => {
          const c = Math.floor(k / (height * width));
          const row = y * stride[0] - padding + (Math.floor(k / width) % height);
          const column = x * stride[1] - padding + (k % width);
          const inside = row >= 0 && row < image[0] && column >= 0 && column < image[1];
          return inside ? inputs[((n * channels + c) * image[0] + row) * image[1] + column] : 0;
        });
      const positions = Array.from({ length: down * across }, (_, p) => p);
      const examples = Array.from({ length: rows }, (_, n) => [
        {
          name: 'conv',
          inputs: positions.map((p) => [...window(n, Math.floor(p / across), p % across), 1]),
          grads: positions.map((p) =>
            Array.from(
              { length: outs },
              (_, o) => rows * outputGrads[(n * outs + o) * positions.length + p],
            ),
          ),
        },
      ]);
      const grads = { 'conv.weight': new Float32Array(size), 'conv.bias': new Float32Array(outs) };
      for (const [{ inputs: windows, grads: own }] of examples) {
        own.forEach((g, p) => {
          g.forEach((d, o) => {
            grads['conv.bias'][o] += d / rows;
            for (let k = 0; k < size / outs; k++) {
              grads['conv.weight'][(o * size) / outs + k] += (d * windows[p][k]) / rows;
            }
          });
        });
      }
      if (t % 2 === 1) optimizer.observe('conv', { inputs, outputGrads, image, stride, padding });
      step(reference, { data: examples, fisher: examples }, 0.1, t);
      optimizer.step(grads);
    }
    expect(tolerance()).toBeLessThan(1e-3);
    for (const [name, { data }] of Object.entries(params)) {
      data.forEach((x, i) => {
        const error = Math.abs(x - reference[name].data[i]);
        expect(error, `${name}[${i}]`).toBeLessThanOrEqual(tolerance() + 1e-6);
      });
    }
    const batch = { inputs: draw(40, 1), outputGrads: draw(24, 2) };
    const argument = expect.objectContaining({ code: 'FLATMIN_ARGUMENT' });
    for (const given of [{}, { image: [4] }, { image: [4, 0] }, { image, stride: 0 }, { image }]) {
      expect(() => optimizer.observe('conv', { ...batch, ...given } as never)).toThrow(argument);
    }
    const small = { ...batch, image: [1, 1] as const };
    expect(() => optimizer.observe('conv', small)).toThrow(
      expect.objectContaining({ code: 'FLATMIN_SHAPE' }),
    );
  });

  it.skipIf(missing !== null)('is the same as one of several groups', () => {
    const options = { statisticsEvery: 2, inversesEvery: 2, momentum: 0.5 };
    const { params, optimizer, inputs, outputGrads, grads } = setUp(options);
    const { params: split } = setUp();
    const member = kfac({ lr: 0.1, damping: 0.05, ...options });
    const grouped = groups(
      split,
      [{ match: /^fc/, optimizer: member }, { optimizer: sgd({ lr: 0.1, momentum: 0.5 }) }],
      { device },
    );
    expect(() => grouped.step(grads(1))).toThrow(/call observe\(\)/);
    for (let t = 1; t <= 5; t++) {
      for (const each of [optimizer, grouped]) {
        if (t % 2 === 1) each.observe('fc', { inputs: inputs(t), outputGrads: outputGrads(t) });
        each.step(grads(t));
      }
    }
    expect(bytesOf(split)).toBe(bytesOf(params));
  });

  it.skipIf(missing !== null)('has no outputs for the exact Fisher', () => {
    expect(() => setUp({ fisher: 'exact' })).toThrow(
      expect.objectContaining({ code: 'FLATMIN_ARGUMENT' }),
    );
  });

  it.skipIf(missing !== null)('asks to be shown the layer', () => {
    const { params, optimizer, grads } = setUp();
    const before = bytesOf(params);
    expect(() => optimizer.step(grads(1))).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: Step 1 updates K-FAC's statistics: call observe() for at least one layer first]`,
    );
    expect(bytesOf(params)).toBe(before);
  });

  it.skipIf(missing !== null)('refuses what does not fit the layer', () => {
    const { optimizer, inputs, outputGrads } = setUp();
    const show = (layer: string, given: object) => () =>
      optimizer.observe(layer, { inputs: inputs(1), outputGrads: outputGrads(1), ...given });
    const argument = expect.objectContaining({ code: 'FLATMIN_ARGUMENT' });
    for (const [layer, given] of [
      ['gain', {}],
      ['fc.weight', {}],
      ['fc', { inputs: new Float32Array(4) }],
      ['fc', { outputGrads: new Float32Array(0) }],
      ['fc', { outputGrads: new Float32Array(3) }],
      ['fc', { outputGrads: undefined }],
      ['fc', { inputs: [1, 2, 3] }],
      ['fc', { outputGrads: new Float64Array(2 * rows) }],
    ] as const) {
      expect(show(layer, given)).toThrow(argument);
    }
    expect(() => optimizer.observe('fc', undefined as never)).toThrow(argument);
  });
});

it.each(present)('kfac on %s frees programs of batch sizes that it saw long ago', (device) => {
  const data = Float32Array.of(1, 2, 3, 4);
  const optimizer = kfac({ 'fc.weight': { data, shape: [2, 2] } }, { lr: 0.01, device });
  const freed = vi.spyOn(Program.prototype, 'free');
  const step = (rows: number) => {
    const batch = new Float32Array(rows * 2).fill(0.1);
    optimizer.observe('fc', { inputs: batch, outputGrads: batch });
    optimizer.step({ 'fc.weight': data.map(() => 0.01) });
  };
  for (let rows = 1; rows <= 40; rows++) step(rows);
  // One more was made before anything was observed.
  expect(freed).toHaveBeenCalledTimes(41 - 16);
  // The ones that are kept go on, and one that was freed is made anew.
  for (const rows of [40, 25, 1]) step(rows);
  expect(data.every(Number.isFinite)).toBe(true);
  freed.mockRestore();
});

const alone = present.length < 2;

it.skipIf(alone)(
  `kfac's statistics of more images than are taken at once agree on every backend${alone ? ', skipped: there is one alone' : ''}`,
  () => {
    const [rows, side] = [13, 300];
    const draw = (n: number, stream: number) => uniforms({ seed: 7, stream, step: 0 }, n);
    const [onJs, onCpu] = present.map((device) => {
      const params = { 'conv.weight': { data: draw(9, 0), shape: [1, 1, 3, 3] } };
      const optimizer = kfac(params, { lr: 0.1, device });
      optimizer.observe('conv', {
        inputs: draw(rows * side ** 2, 1),
        outputGrads: draw(rows * (side - 2) ** 2, 2),
        image: [side, side],
      });
      optimizer.step({ 'conv.weight': draw(9, 3) });
      const factor = Object.entries(optimizer.stateDict()).find(([key]) => /\ba\/conv/.test(key));
      return factor?.[1].data as Float32Array;
    });
    expect(onJs).toHaveLength(45);
    onJs.forEach((x, i) => {
      expect(Math.abs(onCpu[i] / x - 1), `factor[${i}]`).toBeLessThan(1e-5);
    });
  },
);
