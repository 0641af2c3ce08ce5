// How an inverse root or an inverse ended. Outside the per-instruction-set namespace: callers share
// it.
#pragma once

#include <cstdint>

namespace flatmin {

enum class MatrixStatus : int32_t {
  ok = 0,
  notFinite = 1,     // an input entry is not finite
  notPositive = 2,   // largest eigenvalue or a pivot <= 0
  residual = 3,      // computed, but max|A X^p - I| is over the tolerance
  notConverged = 4,  // the eigendecomposition does not converge
  overflow = 5,      // an entry of the result is not finite in float32
};

}  // namespace flatmin
