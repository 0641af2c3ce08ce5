// Householder reflections (Golub & Van Loan 5.2.1) of rows, which are the columns of the matrix
// that is decomposed: every pass runs along memory.
#include "cpu/linalg/qr.h"

#include <algorithm>
#include <cmath>

#include "cpu/base/dot.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

// x <- (I - tau v v^T) x, where v[0] counts as 1.
void reflect(const double* v, double tau, double* x, int64_t n) {
  const double sum = tau * (x[0] + dot(v + 1, x + 1, n - 1));
  x[0] -= sum;
  for (int64_t i = 1; i < n; ++i) x[i] -= sum * v[i];
}

}  // namespace

void orthonormalRows(double* w, int64_t n, double negligible, double* tau, double* errors,
                     double* q) {
  for (int64_t k = 0; k < n; ++k) {
    double* v = w + k * n + k;
    const int64_t length = n - k;
    const double alpha = v[0], rest = dot(v + 1, v + 1, length - 1);
    tau[k] = 0;
    const double size = std::sqrt(alpha * alpha + rest);
    errors[k] = negligible;  // of q's row, times R's diagonal
    for (int64_t j = 0; j < k; ++j)
      if (const double pivot = std::fabs(w[j * n + j]); pivot > 0)
        errors[k] = std::max(errors[k], std::fabs(w[k * n + j]) * errors[j] / pivot);
    if (size <= errors[k]) {
      std::fill(v, v + length, 0.0);
      continue;
    }
    if (rest == 0) continue;
    const double beta = std::copysign(size, -alpha);
    tau[k] = (beta - alpha) / beta;
    const double inverse = 1 / (alpha - beta);
    for (int64_t i = 1; i < length; ++i) v[i] *= inverse;
    for (int64_t j = k + 1; j < n; ++j) reflect(v, tau[k], w + j * n + k, length);
    v[0] = beta;
  }
  std::fill(q, q + n * n, 0.0);
  for (int64_t i = 0; i < n; ++i) q[i * n + i] = 1;
  for (int64_t k = n - 1; k >= 0; --k)
    for (int64_t j = k; j < n; ++j) reflect(w + k * n + k, tau[k], q + j * n + k, n - k);
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
