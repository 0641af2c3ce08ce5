// Orthonormal rows from the rows of a square matrix.
#pragma once

#include <cstdint>

namespace flatmin {
namespace FLATMIN_ISA {

// Q with W = R^T Q, R upper triangular: the QR decomposition of W^T by Householder reflections,
// which gives a whole basis even where rows of W depend on each other. w and q: n x n, row-major; w
// is destroyed. tau: n numbers.
void orthonormalRows(double* w, int64_t n, double* tau, double* q);

}  // namespace FLATMIN_ISA
}  // namespace flatmin
