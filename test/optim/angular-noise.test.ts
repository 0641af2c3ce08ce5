import { describe, expect, it } from 'vitest';
import { fit, lion, type StepReport } from '../../src/index.ts';
import { normal } from '../random/normal.ts';
import { circle, network } from '../train/task.ts';
import { present } from './devices.ts';
import { bytesOf, randomGrads, randomParams } from './tensors.ts';

/** Of a direction that is uniform on the sphere, as its dimension grows. */
const LIMIT = Math.acos(Math.sqrt(2 / Math.PI));

describe.each(present)('the angular noise of lion on %s', (device) => {
  const told = (...grads: Float32Array[]) => {
    const params = Object.fromEntries(
      grads.map((g, i) => [`w${i}`, { data: new Float32Array(g.length), shape: [g.length] }]),
    );
    const optimizer = lion(params, { lr: 0.1, angularNoise: true, device });
    optimizer.step(Object.fromEntries(grads.map((g, i) => [`w${i}`, g])));
    return optimizer.scalars;
  };

  it('is that of each tensor, and of all as one vector', () => {
    // cos θ = ‖c‖₁/(√n‖c‖₂): 7/(5√2), 1, and 13/(√4 · √61) of (3, −4, 6, 0)
    const { angularNoise, angularNoises } = told(
      Float32Array.of(3, -4),
      Float32Array.of(6),
      Float32Array.of(0),
    );
    expect(angularNoises?.w0).toBeCloseTo(Math.acos(7 / (5 * Math.SQRT2)), 6);
    expect(angularNoises?.w1).toBeCloseTo(0, 6);
    expect(angularNoises?.w2).toBe(0);
    expect(angularNoise).toBeCloseTo(Math.acos(13 / (2 * Math.sqrt(61))), 6);
  });

  it('tends to arccos √(2/π) for random directions', () => {
    const gaussian = (n: number) =>
      Float32Array.from({ length: n }, (_, i) => normal({ seed: 5, stream: 1, step: 1 }, i));
    const off = [100, 10_000, 1_000_000].map((n) => {
      const { angularNoise = Number.NaN } = told(gaussian(n));
      return Math.abs(angularNoise - LIMIT);
    });
    // The deviation falls as 1/√n, with a constant below 1.
    expect(off[0]).toBeLessThan(0.1);
    expect(off[1]).toBeLessThan(0.01);
    expect(off[2]).toBeLessThan(0.001);
  });

  it('changes no step, and is not told unasked', () => {
    const [plain, noisy] = [randomParams(), randomParams()];
    const optimizers = [
      lion(plain, { lr: 0.1, device }),
      lion(noisy, { lr: 0.1, angularNoise: true, device }),
    ];
    for (let t = 1; t < 5; t++) for (const o of optimizers) o.step(randomGrads(t));
    expect(bytesOf(noisy)).toBe(bytesOf(plain));
    expect(optimizers[0].scalars).toEqual({});
    expect(Object.keys(optimizers[1].scalars.angularNoises ?? {})).toEqual(Object.keys(noisy));
  });

  it('is told for every step of fit', async () => {
    const reports: StepReport[] = [];
    const { model } = await fit(
      network(),
      { train: circle(40) },
      {
        optimizer: lion({ lr: 0.01, angularNoise: true }),
        batch: 10,
        epochs: 1,
        device,
        onStep: (report) => reports.push(report),
      },
    );
    expect(reports).toHaveLength(4);
    for (const { angularNoise = Number.NaN, angularNoises = {} } of reports) {
      expect(angularNoise).toBeGreaterThan(0);
      expect(angularNoise).toBeLessThan(Math.PI / 2);
      expect(Object.keys(angularNoises)).toEqual(Object.keys(model.parameters()));
    }
  });
});
