/**
 * Orthonormal rows Q with W = RᵀQ, R upper triangular: the QR decomposition of Wᵀ by Householder reflections (Golub
 * & Van Loan 5.2.1), which gives a whole basis even where rows of W depend on each other. `w` is n × n and destroyed.
 */
export function orthonormalRows(w: Float64Array, n: number): Float64Array {
  const tau = new Float64Array(n);
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
    if (rest === 0) continue;
    const beta = -Math.sign(alpha || 1) * Math.sqrt(alpha * alpha + rest);
    tau[k] = (beta - alpha) / beta;
    for (let i = k + 1; i < n; i++) w[at + i] /= alpha - beta;
    for (let j = k + 1; j < n; j++) reflect(k, w, j * n);
  }
  const q = new Float64Array(n * n);
  for (let i = 0; i < n; i++) q[i * n + i] = 1;
  for (let k = n - 1; k >= 0; k--) for (let j = k; j < n; j++) reflect(k, q, j * n);
  return q;
}
