// Householder reflections of the rows, one a pivot, which leave the span as it is.
#include "cpu/linalg/echelon.h"

#include <algorithm>
#include <cmath>

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

constexpr double kPivot = 0.137;  // share of the largest column's squares

}  // namespace

void echelon(double* m, int64_t rows, int64_t n, double* squares, double* along, double* column) {
  std::fill(squares, squares + n, 0.0);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < n; ++c) squares[c] += m[r * n + c] * m[r * n + c];
  for (int64_t i = 0; i < rows; ++i) {
    const double least = kPivot * *std::max_element(squares, squares + n);
    // Of rows that are not finite no column is the largest.
    const int64_t pivot = std::min<int64_t>(
        std::find_if(squares, squares + n, [=](double x) { return x >= least; }) - squares, n - 1);
    double square = 0;
    for (int64_t r = i; r < rows; ++r) {
      column[r] = m[r * n + pivot];
      square += column[r] * column[r];
    }
    const double length = std::sqrt(square);
    column[i] += std::copysign(length, column[i]);
    const double scale = 1 / (length * std::fabs(column[i]));  // 2 / v^T v of the reflection
    std::fill(along, along + n, 0.0);
    for (int64_t r = i; r < rows; ++r)
      for (int64_t c = 0; c < n; ++c) along[c] += column[r] * m[r * n + c];
    for (int64_t r = i; r < rows; ++r)
      for (int64_t c = 0; c < n; ++c) m[r * n + c] -= scale * column[r] * along[c];
    for (int64_t c = 0; c < n; ++c)
      if (squares[c] >= 0) squares[c] -= m[i * n + c] * m[i * n + c];
    squares[pivot] = -1;
  }
  for (int64_t c = 0; c < n; ++c)
    if (squares[c] != -1) squares[c] = 0;
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
