// Bases that depend on their span alone, by one block (native/cpu/linalg/echelon.h).
#pragma once

#include "cuda/eigen/matrix.h"

namespace flatmin {
namespace cuda {

constexpr double kPivot = 0.137;  // share of the largest column's squares

// Turns orthonormal rows, rows x n, into others of the same span; squares is left below 0 for
// pivots alone. squares, along, column: n numbers.
__device__ inline void echelon(double* m, int64_t rows, int64_t n, double* squares, double* along,
                               double* column) {
  for (int64_t c = threadIdx.x; c < n; c += kThreads) {
    squares[c] = 0;
    for (int64_t r = 0; r < rows; ++r) squares[c] += m[r * n + c] * m[r * n + c];
  }
  __syncthreads();
  for (int64_t i = 0; i < rows; ++i) {
    double most = 0, before = 0;  // before: of the first pivot, as a number that is the largest
    for (int64_t c = threadIdx.x; c < n; c += kThreads) most = fmax(most, squares[c]);
    const double least = kPivot * blockMax(most);
    for (int64_t c = threadIdx.x; c < n; c += kThreads)
      if (squares[c] >= least) before = fmax(before, static_cast<double>(n - c));
    // Of rows that are not finite no column is the largest.
    const int64_t first = n - static_cast<int64_t>(blockMax(before));
    const int64_t pivot = first < n ? first : n - 1;
    double part = 0;
    for (int64_t r = i + threadIdx.x; r < rows; r += kThreads) {
      column[r] = m[r * n + pivot];
      part += column[r] * column[r];
    }
    const double length = sqrt(blockSum(part));
    if (threadIdx.x == 0) column[i] += copysign(length, column[i]);
    __syncthreads();
    const double scale = 1 / (length * fabs(column[i]));  // 2 / v^T v of the reflection
    for (int64_t c = threadIdx.x; c < n; c += kThreads) {
      along[c] = 0;
      for (int64_t r = i; r < rows; ++r) along[c] += column[r] * m[r * n + c];
      for (int64_t r = i; r < rows; ++r) m[r * n + c] -= scale * column[r] * along[c];
      if (squares[c] >= 0) squares[c] -= m[i * n + c] * m[i * n + c];
      if (c == pivot) squares[c] = -1;
    }
    __syncthreads();
  }
  for (int64_t c = threadIdx.x; c < n; c += kThreads)
    if (squares[c] != -1) squares[c] = 0;
  __syncthreads();
}

}  // namespace cuda
}  // namespace flatmin
