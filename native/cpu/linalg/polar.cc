// One-sided Jacobi (Hestenes 1958; Golub & Van Loan 8.6.3): rotations of pairs of rows until all
// are orthogonal, J X = S V^T. Then U V^T = J^T V^T. Small singular values keep their relative
// accuracy.
#include "cpu/linalg/polar.h"

#include <cfloat>
#include <cmath>

#include "cpu/base/dot.h"
#include "cpu/eigen/panels.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

constexpr double kOrthogonal = 1e-15;  // cosine of two rows that counts as zero

struct PolarWork {
  double *rows, *rotations;
};

PolarWork takePolarWork(int64_t rows, int64_t cols, Scratch* scratch) {
  return {scratch->take<double>(rows * cols), scratch->take<double>(rows * rows)};
}

// a <- c a - s b, b <- s a + c b
void rotate(double* a, double* b, int64_t n, double c, double s) {
  for (int64_t i = 0; i < n; ++i) {
    const double x = a[i], y = b[i];
    a[i] = c * x - s * y;
    b[i] = s * x + c * y;
  }
}

// Turns every pair of rows once; false when all were orthogonal.
bool sweep(const PolarWork& work, int64_t rows, int64_t cols) {
  bool turned = false;
  for (int64_t p = 0; p < rows; ++p)
    for (int64_t q = p + 1; q < rows; ++q) {
      double *a = work.rows + p * cols, *b = work.rows + q * cols;
      const double aa = dot(a, a, cols), bb = dot(b, b, cols), ab = dot(a, b, cols);
      if (!(std::fabs(ab) > kOrthogonal * std::sqrt(aa) * std::sqrt(bb))) continue;
      turned = true;
      const double zeta = (bb - aa) / (2 * ab);
      const double t = std::copysign(1 / (std::fabs(zeta) + std::hypot(zeta, 1.0)), zeta);
      const double c = 1 / std::sqrt(1 + t * t);
      rotate(a, b, cols, c, c * t);
      rotate(work.rotations + p * rows, work.rotations + q * rows, rows, c, c * t);
    }
  return turned;
}

}  // namespace

size_t polarScratchBytes(int64_t rows, int64_t cols) {
  Scratch scratch(nullptr);
  takePolarWork(rows, cols, &scratch);
  return scratch.bytes();
}

bool polarFactor(float* x, int64_t rows, int64_t cols, bool leading, int64_t sweeps,
                 void* memory) {
  Scratch scratch(memory);
  const PolarWork work = takePolarWork(rows, cols, &scratch);
  for (int64_t i = 0; i < rows * cols; ++i) work.rows[i] = x[i];
  for (int64_t i = 0; i < rows * rows; ++i) work.rotations[i] = i % (rows + 1) == 0 ? 1 : 0;
  for (int64_t done = 0; sweep(work, rows, cols);)
    if (++done >= sweeps) return false;

  const auto squares = [&](int64_t i) {
    return dot(work.rows + i * cols, work.rows + i * cols, cols);
  };
  double largest = 0;
  int64_t first = 0;  // of the largest
  for (int64_t i = 0; i < rows; ++i)
    if (squares(i) > largest) largest = squares(i), first = i;
  const double least = static_cast<double>(cols) * DBL_EPSILON * std::sqrt(largest);
  for (int64_t i = 0; i < rows; ++i) {
    double* row = work.rows + i * cols;
    const double length = std::sqrt(squares(i));
    const bool out = length <= least || (leading && i != first);
    const double inverse = out ? 0 : 1 / length;  // NaN stays
    for (int64_t c = 0; c < cols; ++c) row[c] *= inverse;
  }
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c) {
      double sum = 0;
      for (int64_t i = 0; i < rows; ++i)
        sum += work.rotations[i * rows + r] * work.rows[i * cols + c];
      x[r * cols + c] = static_cast<float>(sum);
    }
  return true;
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
