/**
 * Orthonormal rows Q with W = RᵀQ, R upper triangular: the QR decomposition of Wᵀ by Householder reflections (Golub
 * & Van Loan 5.2.1), which gives a whole basis even where rows of W depend on each other. A row depends on those before it
 * where they leave no more of it than what an error of length `negligible` in every row may leave. `w` is n × n and
 * destroyed, but for its diagonal, which is that of R: 0 for rows that depend on others.
 */
export function orthonormalRows(w: Float64Array, n: number, negligible = 0): Float64Array {
  const tau = new Float64Array(n);
  const errors = new Float64Array(n); // of the rows of Q, times their rows of R
  const reflect = (k: number, m: Float64Array, row: number): void => {
    let sum = m[row + k];
    for (let i = k + 1; i < n; i++) sum += w[k * n + i] * m[row + i];
    sum *= tau[k];
    m[row + k] -= sum;
    for (let i = k + 1; i < n; i++) m[row + i] -= sum * w[k * n + i];
  };
  // Row k is left holding the reflector I − τ v vᵀ from its diagonal on, which counts as 1.
  for (let k = 0; k < n; k++) {
    const at = k * n;
    const alpha = w[at + k];
    let rest = 0;
    for (let i = k + 1; i < n; i++) rest += w[at + i] ** 2;
    const length = Math.sqrt(alpha * alpha + rest);
    errors[k] = negligible;
    for (let j = 0; j < k; j++) {
      const pivot = Math.abs(w[j * n + j]);
      if (pivot > 0) errors[k] = Math.max(errors[k], (Math.abs(w[at + j]) * errors[j]) / pivot);
    }
    if (length <= errors[k]) {
      w.fill(0, at + k, at + n);
      continue;
    }
    if (rest === 0) continue;
    const beta = -Math.sign(alpha || 1) * length;
    tau[k] = (beta - alpha) / beta;
    for (let i = k + 1; i < n; i++) w[at + i] /= alpha - beta;
    for (let j = k + 1; j < n; j++) reflect(k, w, j * n);
    w[at + k] = beta;
  }
  const q = new Float64Array(n * n);
  for (let i = 0; i < n; i++) q[i * n + i] = 1;
  for (let k = n - 1; k >= 0; k--) for (let j = k; j < n; j++) reflect(k, q, j * n);
  return q;
}
