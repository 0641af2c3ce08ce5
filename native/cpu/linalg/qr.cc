// Householder reflections (Golub & Van Loan 5.2.1) of rows, which are the columns of the matrix
// that is decomposed: every pass runs along memory. A block of reflections is found row by row and
// applied to all other rows at once, as I - V T V^T with the reflectors in the columns of V
// (Schreiber & Van Loan 1989).
#include "cpu/linalg/qr.h"

#include <algorithm>
#include <cmath>

#include "cpu/base/dot.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

constexpr int64_t kWidth = kPanel<double>;
constexpr int64_t kBlock = 2 * kWidth;  // reflections applied at once

enum class Order { forward, backward };  // H(last) ... H(first) x, or H(first) ... H(last) x

// The reflectors of a block, from its own first column to the end of the rows, in both layouts that
// a product reads: `down` has tiles of kBlock reflectors by kWidth columns one after the other,
// `across` two panels of kWidth reflectors.
class Reflectors {
 public:
  Reflectors(double* down, double* across, int64_t length)
      : down_(down), across_(across), length_(length) {}

  int64_t length() const { return length_; }
  // Columns c to c + kWidth of reflector i.
  double* piece(int64_t i, int64_t c) const { return down_ + c * kBlock + i * kWidth; }

  // Reflector i is what stands in a row right of column i, below a 1 and zeros.
  void set(int64_t i, const double* row) const {
    for (int64_t c = 0; c < length_; c += kWidth) {
      double* const to = piece(i, c);
      for (int64_t j = 0; j < kWidth; ++j) to[j] = c + j < i ? 0 : c + j == i ? 1 : row[c + j];
    }
  }
  void clear(int64_t i) const {
    for (int64_t c = 0; c < length_; c += kWidth) std::fill_n(piece(i, c), kWidth, 0.0);
  }

  // At(c) is where columns c to c + kWidth of the other vector are.
  template <class At>
  double dot(int64_t i, At at) const {
    vd sums[2] = {};
    for (int64_t c = 0; c < length_; c += kWidth) {
      const double *const v = piece(i, c), *const x = at(c);
      sums[0] += load(v) * load(x);
      sums[1] += load(v + kLanesF64) * load(x + kLanesF64);
    }
    return sumLanes(sums[0] + sums[1]);
  }

  // x <- (I - tau v v^T) x
  void reflect(int64_t i, double tau, double* x) const {
    const double sum = tau * dot(i, [=](int64_t c) { return x + c; });
    for (int64_t c = 0; c < length_; c += kWidth) {
      const double* const v = piece(i, c);
      for (int64_t j = 0; j < kWidth; ++j) x[c + j] -= sum * v[j];
    }
  }

  void turnAcross() const {
    for (int64_t c = 0; c < length_; c += kWidth)
      for (int64_t group = 0; group < kBlock; group += kWidth)
        transposeTile(piece(group, c), across_ + group * length_ + c * kWidth);
  }
  const double* across(int64_t group) const { return across_ + group * length_; }

 private:
  double *down_, *across_;
  int64_t length_;
};

// T of H(first) ... H(last) = I - V T V^T, upper triangular: column j is tau_j (e_j - T V^T v_j),
// of the columns before it.
void blockFactor(const Reflectors& v, const double* tau, double* factor) {
  std::fill_n(factor, kBlock * kBlock, 0.0);
  for (int64_t j = 0; j < kBlock; ++j) {
    if (tau[j] == 0) continue;
    for (int64_t k = 0; k < j; ++k) {
      const double along = tau[j] * v.dot(k, [&](int64_t c) { return v.piece(j, c); });
      for (int64_t i = 0; i <= k; ++i)
        factor[i * kBlock + j] -= along * factor[i * kBlock + k];
    }
    factor[j * kBlock + j] = tau[j];
  }
}

// Rows x, a multiple of kWidth, from the column on where the block begins.
void applyBlock(const Reflectors& v, const double* factor, Order order, double* x, int64_t stride,
                int64_t rows, ThreadPool& pool) {
  double panels[kBlock * kBlock];  // T, or its transpose, kWidth columns after kWidth columns
  for (int64_t i = 0; i < kBlock; ++i)
    for (int64_t j = 0; j < kBlock; ++j)
      panels[j / kWidth * kWidth * kBlock + i * kWidth + j % kWidth] =
          order == Order::forward ? factor[i * kBlock + j] : factor[j * kBlock + i];
  v.turnAcross();
  pool.parallel(rows / kWidth, [&](int64_t task, int) {
    double along[kWidth * kBlock], turned[kWidth * kBlock];
    double* const own = x + task * kWidth * stride;
    for (int64_t group = 0; group < kBlock; group += kWidth)
      multiplyRows<kWidth>(own, 1, stride, v.across(group), v.length(), along + group, kBlock);
    for (int64_t group = 0; group < kBlock; group += kWidth)
      multiplyRows<kWidth>(along, 1, kBlock, panels + group * kBlock, kBlock, turned + group,
                           kBlock);
    for (int64_t c = 0; c < v.length(); c += kWidth)
      multiplyRows<kWidth, true>(turned, 1, kBlock, v.piece(0, c), kBlock, own + c, stride);
  });
}

}  // namespace

QrWork QrWork::take(int64_t n, Scratch* scratch) {
  const int64_t size = (qrRows(n) + kBlock - 1) / kBlock * kBlock;
  QrWork work;
  work.tau = scratch->take<double>(size);
  work.doubts = scratch->take<double>(n);
  work.factors = scratch->take<double>(size * kBlock);
  work.across = scratch->take<double>(size * kBlock);
  work.down = scratch->take<double>(size * kBlock);
  return work;
}

void orthonormalRows(double* w, int64_t n, double negligible, const QrWork& work, double* q,
                     ThreadPool& pool) {
  const int64_t size = qrRows(n), stride = qrStride(n);
  double *const tau = work.tau, *const doubts = work.doubts;
  if (n == 0) return;  // guard
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const Reflectors v(work.down, work.across, size - begin);
    const int64_t end = std::min(begin + kBlock, n);
    for (int64_t k = begin; k < end; ++k) {
      double* const row = w + k * stride;
      const int64_t i = k - begin;
      v.set(i, row + begin);
      const double alpha = row[k];
      v.piece(i, i / kWidth * kWidth)[i % kWidth] = 0;
      const double rest = v.dot(i, [&](int64_t c) { return v.piece(i, c); });
      tau[k] = 0;
      const double length = std::sqrt(alpha * alpha + rest);
      double error = negligible;  // of q's row, times R's diagonal
      for (int64_t j = 0; j < k; ++j) error = std::max(error, std::fabs(row[j]) * doubts[j]);
      doubts[k] = length <= error ? 0 : error / length;
      if (length <= error) std::fill(row + k, row + n, 0.0);
      if (length <= error || rest == 0) {
        v.clear(i);
        continue;
      }
      const double beta = std::copysign(length, -alpha);
      tau[k] = (beta - alpha) / beta;
      const double inverse = 1 / (alpha - beta);
      for (int64_t j = k + 1; j < n; ++j) row[j] *= inverse;
      row[k] = beta;
      v.set(i, row + begin);
      for (int64_t j = k + 1; j < end; ++j) v.reflect(i, tau[k], w + j * stride + begin);
    }
    for (int64_t k = end; k < begin + kBlock; ++k) {
      tau[k] = 0;
      v.clear(k - begin);
    }
    double* const factor = work.factors + begin * kBlock;
    blockFactor(v, tau + begin, factor);
    if (end < n)
      applyBlock(v, factor, Order::forward, w + end * stride + begin, stride, size - end, pool);
  }

  std::fill_n(q, size * stride, 0.0);
  for (int64_t i = 0; i < n; ++i) q[i * stride + i] = 1;
  for (int64_t begin = (n - 1) / kBlock * kBlock; begin >= 0; begin -= kBlock) {
    const Reflectors v(work.down, work.across, size - begin);
    for (int64_t k = begin; k < begin + kBlock; ++k)
      tau[k] != 0 ? v.set(k - begin, w + k * stride + begin) : v.clear(k - begin);
    applyBlock(v, work.factors + begin * kBlock, Order::backward, q + begin * stride + begin,
               stride, size - begin, pool);
  }
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
