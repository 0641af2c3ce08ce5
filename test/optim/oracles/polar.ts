import { combine, jacobi, multiply, type Rows, transpose } from './matrix.ts';

const TRIPLES: Readonly<Record<string, readonly (readonly [number, number, number])[]>> = {
  'newton-schulz': Array(5).fill([3.4445, -4.775, 2.0315]),
  'polar-express': [
    [8.156554524902461, -22.48329292557795, 15.878769915207462],
    [4.042929935166739, -2.808917465908714, 0.5000178451051316],
    [3.8916678022926607, -2.772484153217685, 0.5060648178503393],
    [3.285753657755655, -2.3681294933425376, 0.46449024233003106],
    [2.3465413258596377, -1.7097828382687081, 0.42323551169305323],
  ],
};

/** What the iteration makes of a singular value of a matrix with ‖X‖_F = norm. */
export function iteratedValue(sigma: number, norm: number, method: string): number {
  const start = method === 'newton-schulz' ? norm + 1e-7 : 1.02 * norm + 1e-6;
  return TRIPLES[method].reduce((x, [a, b, c]) => a * x + b * x ** 3 + c * x ** 5, sigma / start);
}

/** X ← aX + b(XXᵀ)X + c(XXᵀ)²X, five times. */
export function iterated(given: Rows, method: string): Rows {
  const norm = Math.hypot(...given.flat());
  const start = method === 'newton-schulz' ? norm + 1e-7 : 1.02 * norm + 1e-6;
  let x = given.map((row) => row.map((v) => v / start));
  if (x.length > (x[0]?.length ?? 0)) return transpose(iterated(transpose(given), method));
  for (const [a, b, c] of TRIPLES[method]) {
    const gram = multiply(x, transpose(x));
    const once = multiply(gram, x);
    const twice = multiply(gram, once);
    x = combine(combine(x, a, once, b), 1, twice, c);
  }
  return x;
}

/** (XXᵀ)^(−1/2)·X over the vectors of singular values above 1e-7 of the largest. */
export function exactFactor(x: Rows): Rows {
  if (x.length > (x[0]?.length ?? 0)) return transpose(exactFactor(transpose(x)));
  const scale = Math.max(...x.flat().map(Math.abs)) || 1;
  const scaled = x.map((row) => row.map((v) => v / scale));
  const { values, vectors } = jacobi(multiply(scaled, transpose(scaled)));
  const least = 1e-14 * Math.max(...values);
  const powers = values.map((v) => (v > least ? v ** -0.5 : 0));
  const root = vectors.map((row) => row.map((v, j) => v * powers[j]));
  return multiply(multiply(root, transpose(vectors)), scaled);
}

/** The part u₁v₁ᵀ of the largest singular value: Xᵀ applied to an eigenvector of XXᵀ, of equal ones the first. */
export function leadingFactor(x: Rows): Rows {
  if (x.length > (x[0]?.length ?? 0)) return transpose(leadingFactor(transpose(x)));
  const scale = Math.max(...x.flat().map(Math.abs)) || 1;
  const scaled = x.map((row) => row.map((v) => v / scale));
  const { values, vectors } = jacobi(multiply(scaled, transpose(scaled)));
  const most = values.indexOf(Math.max(...values));
  const u = vectors.map((row) => [row[most]]);
  const v = multiply(transpose(u), scaled);
  const sigma = Math.hypot(...v.flat());
  return multiply(u, sigma === 0 ? v : [v[0].map((value) => value / sigma)]);
}
