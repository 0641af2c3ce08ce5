import { expect } from 'vitest';
import { alongOf, type Case, inDoubles, MOMENT, traceGradient, weightsOf } from './harness.ts';

/** Elements of each input that are checked. */
const SAMPLES = 6;
/** Beyond this many elements of input, evaluating the oracle so often takes too long. */
const LARGEST = 4096;

/** Compares gradients of Σ weights · outputs with central differences of the oracle. */
export function checkAgainstDifferences(c: Case, grads: readonly Float64Array[]): void {
  const inputs = c.inputs.map(({ data }) => Float64Array.from(data));
  if (inputs.reduce((n, x) => n + x.length, 0) > LARGEST) return; // guard
  const loss = (): number => {
    let total = 0;
    c.oracle(inputs, c.moments ?? [MOMENT]).forEach((y, i) => {
      const w = weightsOf(i, y.length);
      // What is NaN is so for every value of the inputs.
      for (let k = 0; k < y.length; k++) if (!Number.isNaN(y[k])) total += w[k] * y[k];
    });
    return total;
  };
  (c.gradient ?? []).forEach((input, g) => {
    const x = inputs[input];
    const stride = Math.max(1, Math.floor(x.length / SAMPLES));
    for (let k = 0; k < x.length; k += stride) {
      const middle = x[k];
      const h = 1e-5 * Math.max(1, Math.abs(middle));
      x[k] = middle + h;
      const above = loss();
      x[k] = middle - h;
      const below = loss();
      x[k] = middle;
      const slope = (above - below) / (2 * h);
      const error = Math.abs(grads[g][k] - slope) / (1 + Math.abs(slope));
      expect(error, `input ${input}[${k}]: gradient ${grads[g][k]}, slope ${slope}`).toBeLessThan(
        1e-6,
      );
    }
  });
}

/** Compares tangents of the f32 outputs, all inputs moving at once, with central differences of the oracle. */
export function checkTangents(c: Case, tangents: readonly Float64Array[]): void {
  const wrt = c.gradient ?? [];
  if (c.inputs.reduce((n, { data }) => n + data.length, 0) > LARGEST) return; // guard
  const h = 1e-5;
  const moved = (along: number) => {
    const inputs = c.inputs.map(({ data }) => Float64Array.from(data));
    wrt.forEach((input, i) => {
      const dx = weightsOf(i, inputs[input].length);
      inputs[input] = inputs[input].map((x, k) => x + along * dx[k]);
    });
    return c.oracle(inputs, c.moments ?? [MOMENT]);
  };
  const [above, below] = [moved(h), moved(-h)];
  tangents.forEach((dy, output) => {
    dy.forEach((tangent, k) => {
      const slope = (above[output][k] - below[output][k]) / (2 * h);
      if (Number.isNaN(slope)) return;
      const error = Math.abs(tangent - slope) / (1 + Math.abs(slope));
      expect(error, `output ${output}[${k}]: tangent ${tangent}, slope ${slope}`).toBeLessThan(
        1e-6,
      );
    });
  });
}

/** Compares tangents of gradients, all inputs moving at once, with central differences of the gradients in doubles. */
export function checkSecondOrder(c: Case, tangents: readonly Float64Array[]): void {
  if (c.inputs.reduce((n, { data }) => n + data.length, 0) > LARGEST) return; // guard
  const h = 1e-5;
  const moved = (by: number) => {
    const inputs = c.inputs.map((input) => ({ ...input }));
    (c.gradient ?? []).forEach((input, i) => {
      const data = Float64Array.from(c.inputs[input].data);
      const dx = alongOf(i, data.length);
      inputs[input] = { ...inputs[input], data: data.map((x, k) => x + by * dx[k]) };
    });
    return inDoubles(traceGradient({ ...c, inputs }));
  };
  const [above, below] = [moved(h), moved(-h)];
  tangents.forEach((dy, gradient) => {
    dy.forEach((tangent, k) => {
      const slope = (above[gradient][k] - below[gradient][k]) / (2 * h);
      if (Number.isNaN(slope)) return;
      const error = Math.abs(tangent - slope) / (1 + Math.abs(slope));
      expect(error, `gradient ${gradient}[${k}]: tangent ${tangent}, slope ${slope}`).toBeLessThan(
        1e-5,
      );
    });
  });
}
