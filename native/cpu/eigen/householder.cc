// Reduction from the last row up (Golub & Van Loan 8.3.1), one pass over memory a step. On the way
// back a panel's width of reflectors is applied at once, I - Y^T L Y with them in the rows of Y
// (compact WY), to one panel of vectors after the other.
#include "cpu/eigen/householder.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/base/dot.h"
#include "cpu/eigen/panels.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

constexpr int kWidth = kPanel<double>;
constexpr int kBlock = kWidth;      // reflectors applied at once
constexpr int64_t kManyRows = 384;  // below, threads would wait longer than they work
constexpr int64_t kParts = 4;
static_assert(kReductionColumns == 3 + kParts);
constexpr double kNegligible =
    1e-200;  // squared, relative to a matrix scaled to 1: dropped before it underflows

// Of vectors padded to a whole number of panels.
double paddedDot(const double* a, const double* b, int64_t size) {
  vd sum0 = {}, sum1 = {};
  for (int64_t j = 0; j < size; j += kWidth) {
    sum0 += load(a + j) * load(b + j);
    sum1 += load(a + j + kLanesF64) * load(b + j + kLanesF64);
  }
  return sumLanes(sum0 + sum1);
}

// Rows [begin, end) of A -= v w^T + w v^T, and what they and their mirror image add to p = A x, in
// one pass over the lower triangle. Diagonal blocks of kWidth are kept whole. v, w, x are zero from
// their length on, so rows past it do not change.
void updateAndMultiply(double* a, int64_t stride, int64_t begin, int64_t end, const double* v,
                       const double* w, const double* x, double* p) {
  constexpr int kRows = kLanes == 16 ? 4 : 2;
  for (int64_t r = begin; r < end; r += kRows) {
    const int64_t block = r / kWidth * kWidth;
    double vr[kRows], wr[kRows], xr[kRows];
    vd sum[kRows] = {};
    for (int q = 0; q < kRows; ++q) vr[q] = v[r + q], wr[q] = w[r + q], xr[q] = x[r + q];
    double* row = a + r * stride;
    for (int64_t j = 0; j < block; j += kLanesF64) {
      const vd vj = load(v + j), wj = load(w + j), xj = load(x + j);
      vd pj = load(p + j);
      for (int q = 0; q < kRows; ++q) {
        const vd y = load(row + q * stride + j) - vr[q] * wj - wr[q] * vj;
        store(row + q * stride + j, y);
        sum[q] += y * xj;
        pj += xr[q] * y;
      }
      store(p + j, pj);
    }
    for (int64_t j = block; j < block + kWidth; j += kLanesF64) {
      const vd vj = load(v + j), wj = load(w + j), xj = load(x + j);
      for (int q = 0; q < kRows; ++q) {
        const vd y = load(row + q * stride + j) - vr[q] * wj - wr[q] * vj;
        store(row + q * stride + j, y);
        sum[q] += y * xj;
      }
    }
    for (int q = 0; q < kRows; ++q) p[r + q] += sumLanes(sum[q]);
  }
}

// The same for the first `rows` rows: where there are many, in parts of equal area, each with a p
// of its own, added up in the first.
void updateAndMultiply(double* a, int64_t size, int64_t rows, const double* v, const double* w,
                       const double* x, double* p, ThreadPool& pool) {
  const int64_t stride = rowStride(size);
  if (rows < kManyRows) {
    std::memset(p, 0, sizeof(double) * static_cast<size_t>(size));
    return updateAndMultiply(a, stride, 0, rows, v, w, x, p);
  }
  const auto end = [=](int64_t parts) {
    const double share = std::sqrt(static_cast<double>(parts) / kParts);
    const int64_t row = static_cast<int64_t>(share * static_cast<double>(rows));
    return parts == kParts ? rows : row / kWidth * kWidth;
  };
  pool.parallel(kParts, [=](int64_t part, int) {
    std::memset(p + part * stride, 0, sizeof(double) * static_cast<size_t>(size));
    updateAndMultiply(a, stride, end(part), end(part + 1), v, w, x, p + part * stride);
  });
  for (int64_t part = 1; part < kParts; ++part)
    for (int64_t j = 0; j < rows; ++j) p[j] += p[part * stride + j];
}

}  // namespace

void tridiagonalise(double* a, int64_t n, int64_t size, double* d, double* e, double* tau,
                    double* columns, ThreadPool& pool) {
  const int64_t stride = rowStride(size);
  double *v = columns, *w = v + stride, *x = w + stride, *p = x + stride;
  std::memset(columns, 0, sizeof(double) * static_cast<size_t>(kReductionColumns * stride));
  for (int64_t i = n - 1; i >= 0; --i) {
    double* row = a + i * stride;
    const double vi = v[i], wi = w[i];
    for (int64_t j = 0; j <= i; ++j) row[j] -= vi * w[j] + wi * v[j];
    d[i] = row[i];
    tau[i] = 0;
    const int64_t length = paddedSize<double>(i);  // x, p and w are zero from i to there
    std::fill(x, x + length, 0.0);
    if (i > 0) {
      const double alpha = row[i - 1];
      e[i - 1] = alpha;
      std::copy(row, row + i - 1, x);
      const double rest = paddedDot(x, x, length);
      if (rest > kNegligible) {
        const double beta = std::copysign(std::sqrt(alpha * alpha + rest), -alpha);
        e[i - 1] = beta;
        tau[i] = (beta - alpha) / beta;
        const double inverse = 1 / (alpha - beta);
        for (int64_t j = 0; j < i - 1; ++j) x[j] *= inverse;
        x[i - 1] = 1;
      } else {
        std::fill(x, x + i, 0.0);
      }
    }
    updateAndMultiply(a, size, i, v, w, x, p, pool);
    for (int64_t j = i; j < length; ++j) p[j] = 0;
    const double half = 0.5 * tau[i] * tau[i] * paddedDot(p, x, length);
    for (int64_t j = 0; j < length; ++j) w[j] = tau[i] * p[j] - half * x[j];
    std::copy(x, x + length, row);
    std::fill(row + length, row + size, 0.0);
    double* const last = v;
    v = x, x = last;
  }
}

namespace {

// L of H(m + kBlock - 1) ... H(m) = I - Y^T L Y, lower triangular: row i is tau_i (e_i - v_i Y^T
// L), of the rows above it. Y is zero from column `length` on.
void blockFactor(const double* y, int64_t stride, int64_t length, const double* tau,
                 double* factor) {
  std::fill(factor, factor + kBlock * kBlock, 0.0);
  for (int64_t i = 0; i < kBlock; ++i) {
    double* row = factor + i * kBlock;
    if (tau[i] == 0) continue;
    for (int64_t k = 0; k < i; ++k) {
      const double along = tau[i] * paddedDot(y + i * stride, y + k * stride, length);
      for (int64_t j = 0; j <= k; ++j) row[j] -= along * factor[k * kBlock + j];
    }
    row[i] = tau[i];
  }
}

}  // namespace

void applyReflectors(const double* reflectors, const double* tau, int64_t n, int64_t size,
                     double* rows, double* panels, double* factors, ThreadPool& pool) {
  const int64_t blocks = (n + kBlock - 1) / kBlock, stride = rowStride(size);
  pool.parallel(blocks, [=](int64_t block, int) {
    blockFactor(reflectors + block * kBlock * stride, stride, (block + 1) * kBlock,
                tau + block * kBlock, factors + block * kBlock * kBlock);
  });
  pool.parallel(size / kWidth, [=](int64_t index, int) {
    double* const panel = panels + index * size * kWidth;  // the vectors in its columns
    for (int64_t c = 0; c < size / kWidth; ++c)
      transposeTile(tile(rows, size, index, c), panel + c * kWidth * kWidth);
    double along[kBlock * kWidth], turned[kBlock * kWidth];
    for (int64_t block = 0; block < blocks; ++block) {
      const double* y = reflectors + block * kBlock * stride;
      const int64_t length = std::min<int64_t>(n, (block + 1) * kBlock);
      multiplyRows<kBlock>(y, 1, stride, panel, length, along, kWidth);
      multiplyRows<kBlock>(factors + block * kBlock * kBlock, 1, kBlock, along, kBlock, turned,
                           kWidth);
      for (int64_t c = 0; c < length; c += kBlock)
        multiplyRows<kBlock, true>(y + c, stride, 1, turned, kBlock, panel + c * kWidth, kWidth);
    }
    for (int64_t c = 0; c < size / kWidth; ++c)
      transposeTile(panel + c * kWidth * kWidth, tile(rows, size, index, c));
  });
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
