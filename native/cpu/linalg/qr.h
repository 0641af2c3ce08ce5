// Orthonormal rows from the rows of a square matrix.
#pragma once

#include <cstdint>

#include "cpu/eigen/householder.h"
#include "cpu/eigen/panels.h"

namespace flatmin {
namespace FLATMIN_ISA {

// A matrix of order n for orthonormalRows: rows qrStride(n) apart, with zeros behind the first n
// columns and qrRows(n) rows, zeros from row n on.
inline int64_t qrRows(int64_t n) { return paddedSize<double>(n); }
inline int64_t qrStride(int64_t n) { return rowStride(paddedSize<double>(n)); }
inline int64_t qrNumbers(int64_t n) { return qrRows(n) * qrStride(n); }

struct QrWork {
  double *tau, *doubts, *factors, *across, *down;

  static QrWork take(int64_t n, Scratch* scratch);
};

// Q with W = R^T Q, R upper triangular: the QR decomposition of W^T by Householder reflections,
// which gives a whole basis even where rows of W depend on each other. A row depends on those
// before it where they leave no more of it than what an error of length `negligible` in every row
// may leave. w and q: as above; w is destroyed, but for its diagonal, which is that of R: 0 for
// rows that depend on others. The same bits on any pool.
void orthonormalRows(double* w, int64_t n, double negligible, const QrWork& work, double* q,
                     ThreadPool& pool);

}  // namespace FLATMIN_ISA
}  // namespace flatmin
