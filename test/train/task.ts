import { type Dataset, dropout, linear, relu, sequential } from '../../src/index.ts';
import { STREAM, uniforms } from '../../src/random/philox.ts';

/** Points of the plane, labelled by the side of a circle that they are on. */
export function circle(count: number): Dataset {
  const draws = uniforms({ seed: 3, stream: STREAM.init, step: 0 }, 2 * count);
  const data = draws.map((u) => 2 * u - 1);
  const labels = Int32Array.from({ length: count }, (_, i) =>
    Number(Math.hypot(data[2 * i], data[2 * i + 1]) < 0.8),
  );
  return {
    name: 'circle',
    synthetic: true,
    inputs: { data, shape: [2] },
    labels,
    count,
    classes: 2,
  };
}

export const network = (p = 0) => sequential(linear(8), relu(), dropout(p), linear(2));
