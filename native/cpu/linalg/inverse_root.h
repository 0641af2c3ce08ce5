// A^(-1/p) of a symmetric positive semidefinite matrix.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/base/lower.h"
#include "cpu/linalg/matrix_status.h"
#include "program/thread_pool.h"

namespace flatmin {

struct RootOptions {
  double p = 4;          // > 0, real
  double ridge = 1e-6;   // relative: ridge * lambda_max I is added
  double epsilon = 0;    // absolute: epsilon I is added first
  bool newton = false;   // coupled Newton where p is an integer; else by eigendecomposition
  bool warm = false;     // eigendecomposition from a basis
  bool sampled = false;  // eigendecomposition: where random directions leave no doubt that the root
                         // is good, residual is |A X^p - I|_F as they show it
};

struct RootResult {
  double residual;  // max|A X^p - I| of the A with both terms added, X in float64; infinite where
                    // there is no X
  MatrixStatus status;
  int32_t iterations;  // of Newton, both precisions together; else 0
};

inline constexpr double kRootTolerance = 0.1;
// A sum of thousands of outer products in float32 has eigenvalues a little below zero. Down to this
// share of the largest they count as rounding, and as much is added to the diagonal
// (eigendecomposition only); an eigenvalue further below leaves a residual that fails.
inline constexpr double kRootRounding = 1e-4;

namespace FLATMIN_ISA {

size_t inverseRootScratchBytes(int64_t n, const RootOptions& options);

// out: n x n, row-major; it may be that of a. out is symmetric to the bit, the same on any pool,
// and written only when the status is ok. basis, of a warm root alone: n x n rows of eigenvectors
// to begin from, zeros where there are none, and those found; where they lead to no good root the
// decomposition begins from nothing.
RootResult inverseRoot(Lower a, const RootOptions& options, float* out, void* scratch,
                       ThreadPool& pool, float* basis = nullptr);

// The same in two parts: what one thread does, and the rest.
void beginInverseRoot(Lower a, const RootOptions& options, void* scratch);
RootResult finishInverseRoot(Lower a, const RootOptions& options, float* out, void* scratch,
                             ThreadPool& pool, float* basis = nullptr);

}  // namespace FLATMIN_ISA
}  // namespace flatmin
