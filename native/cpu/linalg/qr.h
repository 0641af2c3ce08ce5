// Orthonormal rows from the rows of a square matrix.
#pragma once

#include <cstdint>

namespace flatmin {
namespace FLATMIN_ISA {

// Q with W = R^T Q, R upper triangular: the QR decomposition of W^T by Householder reflections,
// which gives a whole basis even where rows of W depend on each other. A row depends on those
// before it where they leave no more of it than what an error of length `negligible` in every row
// may leave. w and q: n x n, row-major; w is destroyed, but for its diagonal, which is that of R: 0
// for rows that depend on others. tau, errors: n numbers.
void orthonormalRows(double* w, int64_t n, double negligible, double* tau, double* errors,
                     double* q);

}  // namespace FLATMIN_ISA
}  // namespace flatmin
