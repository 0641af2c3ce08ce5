/** Matrices with a known answer, and plain products to check results with. */

export function product(a: ArrayLike<number>, b: ArrayLike<number>, n: number): Float64Array {
  const out = new Float64Array(n * n);
  for (let r = 0; r < n; r++)
    for (let c = 0; c < n; c++) {
      let sum = 0;
      for (let k = 0; k < n; k++) sum += a[r * n + k] * b[k * n + c];
      out[r * n + c] = sum;
    }
  return out;
}

export function transpose(a: ArrayLike<number>, n: number): Float64Array {
  return Float64Array.from({ length: n * n }, (_, i) => a[(i % n) * n + Math.floor(i / n)]);
}

export function diagonal(values: ArrayLike<number>): Float64Array {
  const n = values.length;
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) a[i * n + i] = values[i];
  return a;
}

export function identity(n: number): Float64Array {
  return diagonal(new Float64Array(n).fill(1));
}

export function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i] - b[i]);
    if (Number.isNaN(difference)) return Number.NaN;
    if (difference > largest) largest = difference;
  }
  return largest;
}

/** An orthogonal matrix: two Householder reflections of fixed vectors. */
export function orthogonal(n: number): Float64Array {
  const reflection = (f: (i: number) => number) => {
    const v = Float64Array.from({ length: n }, (_, i) => f(i));
    const square = v.reduce((sum, x) => sum + x * x, 0);
    return identity(n).map((x, i) => x - (2 * v[Math.floor(i / n)] * v[i % n]) / square);
  };
  const left = reflection((i) => Math.sin(i + 1));
  return product(
    left,
    reflection((i) => Math.cos(3 * i) + 0.1),
    n,
  );
}

/** Q·diag(values)·Qᵀ, symmetric to the bit. */
export function withSpectrum(values: ArrayLike<number>): Float64Array {
  const n = values.length;
  const q = orthogonal(n);
  const a = product(product(q, diagonal(values), n), transpose(q, n), n);
  for (let r = 0; r < n; r++) for (let c = 0; c < r; c++) a[c * n + r] = a[r * n + c];
  return a;
}

/** Eigenvalues from 1 down to 1 / condition, evenly spaced in the logarithm. */
export function logSpectrum(n: number, condition: number): number[] {
  return Array.from({ length: n }, (_, i) => condition ** (-i / (n - 1)));
}

/** The second difference [−1, 2, −1]: value k is 2 − 2cos(kπ/(n+1)), vector k is sin(jkπ/(n+1)). */
export function secondDifference(n: number): Float64Array {
  return Float64Array.from({ length: n * n }, (_, i) => {
    const distance = Math.abs(Math.floor(i / n) - (i % n));
    return distance === 0 ? 2 : distance === 1 ? -1 : 0;
  });
}

/** Column j of f(A) of the second difference, from its closed form. */
export function columnOfSecondDifference(
  n: number,
  j: number,
  f: (x: number) => number,
): Float64Array {
  const angle = Math.PI / (n + 1);
  const weights = Array.from({ length: n }, (_, k) => {
    const value = f(2 - 2 * Math.cos((k + 1) * angle));
    return (2 / (n + 1)) * value * Math.sin((j + 1) * (k + 1) * angle);
  });
  return Float64Array.from({ length: n }, (_, i) =>
    weights.reduce((sum, w, k) => sum + w * Math.sin((i + 1) * (k + 1) * angle), 0),
  );
}

export function ofSecondDifference(n: number, f: (x: number) => number): Float64Array {
  const columns = Array.from({ length: n }, (_, j) => columnOfSecondDifference(n, j, f));
  return Float64Array.from({ length: n * n }, (_, i) => columns[i % n][Math.floor(i / n)]);
}

export function hilbert(n: number): Float64Array {
  return Float64Array.from({ length: n * n }, (_, i) => 1 / (Math.floor(i / n) + (i % n) + 1));
}
