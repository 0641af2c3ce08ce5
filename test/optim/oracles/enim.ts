import { enim } from '../../../src/index.ts';
import { STREAM } from '../../../src/random/philox.ts';
import { DECAY, lr, type Method, plain } from '../../methods/case.ts';
import { normal } from '../../random/normal.ts';
import { directionOracle } from './lion-k.ts';
import type { Oracle } from './oracle.ts';

const length = (x: Float64Array): number => Math.hypot(...x);

/** √n times c/‖c‖ turned by φ towards z. */
function rotated(c: Float64Array, z: Float64Array, angle: number): Float64Array {
  const size = length(c);
  if (size === 0) return c;
  const d = c.map((v) => v / size);
  const along = d.reduce((sum, v, i) => sum + v * z[i], 0);
  const r = z.map((v, i) => v - along * d[i]);
  const rest = length(r);
  const aside = (i: number) => (c.length === 1 ? 0 : (Math.sin(angle) * r[i]) / rest);
  const ahead = c.length === 1 ? 1 : Math.cos(angle);
  return d.map((v, i) => Math.sqrt(c.length) * (ahead * v + aside(i)));
}

/** Enim with the seed 0. */
export function enimOracle({
  angle = Math.acos(Math.sqrt(2 / Math.PI)),
  scope = 'tensor',
  betas = [0.9, 0.99] as [number, number],
  weightDecay = 0,
} = {}): Oracle {
  const drawn = (count: number, tensor: number, step: number) =>
    Float64Array.from({ length: count }, (_, i) =>
      normal({ seed: 0, stream: STREAM.enim + tensor, step }, i),
    );
  const decays = { betas, weightDecay };
  if (scope === 'tensor') {
    return directionOracle((c, tensor, t) => rotated(c, drawn(c.length, tensor, t), angle), decays);
  }
  let sizes: readonly number[] = [];
  const joined = directionOracle((c, _tensor, t) => {
    const z = sizes.flatMap((size, tensor) => [...drawn(size, tensor, t)]);
    return rotated(c, Float64Array.from(z), angle);
  }, decays);
  return (params, grads, lr, t) => {
    sizes = Object.values(params).map(({ data }) => data.length);
    const all = Float64Array.from(Object.values(params).flatMap(({ data }) => [...data]));
    const g = Float64Array.from(Object.keys(params).flatMap((name) => [...grads[name]]));
    joined({ all: { data: all, shape: [all.length] } }, { all: g }, lr, t);
    let at = 0;
    for (const { data } of Object.values(params)) {
      data.set(all.subarray(at, at + data.length));
      at += data.length;
    }
  };
}

export const cases: readonly Method[] = [
  plain(
    'enim tensor',
    () => enim({ lr, ...DECAY }),
    () => enimOracle(DECAY),
  ),
  plain(
    'enim global',
    () => enim({ lr, scope: 'global', ...DECAY }),
    () => enimOracle({ scope: 'global', ...DECAY }),
  ),
];
