import { muon } from '../../../src/index.ts';
import { DECAY, lr, type Method, plain } from '../../methods/case.ts';
import type { Rows } from './matrix.ts';
import type { Oracle } from './oracle.ts';
import { exactFactor, iterated } from './polar.ts';

/** Every tensor as the matrix [out, everything else]; a vector has one column. */
export function muonOracle({
  momentum = 0.95,
  nesterov = true,
  weightDecay = 0,
  method = 'newton-schulz',
  scale = 'original',
} = {}): Oracle {
  const velocities = new Map<string, Float64Array>();
  return (params, grads, lr) => {
    for (const [name, { data, shape }] of Object.entries(params)) {
      if (data.length === 0) continue;
      const g = grads[name];
      const v = (velocities.get(name) ?? new Float64Array(data.length)).map(
        (x, i) => momentum * x + g[i],
      );
      velocities.set(name, v);
      const u = nesterov ? v.map((x, i) => g[i] + momentum * x) : v;
      const rows = shape.length === 0 ? 1 : shape[0];
      const columns = data.length / rows;
      const matrix: Rows = Array.from({ length: rows }, (_, r) => [
        ...u.subarray(r * columns, (r + 1) * columns),
      ]);
      const o = (method === 'exact' ? exactFactor(matrix) : iterated(matrix, method)).flat();
      const s =
        scale === 'original'
          ? Math.sqrt(Math.max(1, rows / columns))
          : 0.2 * Math.sqrt(Math.max(rows, columns));
      data.forEach((theta, i) => {
        data[i] = theta - lr * s * o[i] - lr * weightDecay * theta;
      });
    }
  };
}

const METHODS = ['newton-schulz', 'polar-express', 'exact'] as const;

export const cases: readonly Method[] = METHODS.map((method) => ({
  ...plain(
    `muon ${method}`,
    () => muon({ lr, method, ...DECAY }),
    () => muonOracle({ method, ...DECAY }),
  ),
  // The first factors of Polar Express multiply to 1000, and rounding with them.
  tolerance: method === 'polar-express' ? 1e-4 : undefined,
}));
