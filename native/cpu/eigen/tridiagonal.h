// Eigenproblem of a symmetric tridiagonal matrix by divide and conquer.
#pragma once

#include <cstdint>

#include "cpu/eigen/panels.h"
#include "cpu/eigen/tridiagonal_merge.h"

namespace flatmin {
namespace FLATMIN_ISA {

// Diagonal `values`, e[i] beside values[i] and values[i + 1]; entries of order 1. Leaves the
// eigenvalues, not sorted, in `values`, and their vectors in the rows of the panels `vectors`; e is
// destroyed. The same bits on any pool. False when an iteration does not converge.
bool tridiagonalEigen(double* e, int64_t n, const TridiagonalWork& work, ThreadPool& pool);

}  // namespace FLATMIN_ISA
}  // namespace flatmin
