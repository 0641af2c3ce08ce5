// Functions of a vector, lane by lane.
#pragma once

#include <cmath>

#include "cpu/base/simd.h"

namespace flatmin {
namespace FLATMIN_ISA {

// −1, 0 or 1; NaN stays NaN.
static inline vf signOf(vf c) {
  const vf one = splat(1.0f);
  const vf zero = {};
  return c > zero ? one : (c < zero ? -one : c);
}

static inline vf sqrtOf(vf x) {
  for (int i = 0; i < kLanes; ++i) x[i] = std::sqrt(x[i]);
  return x;
}

// The C library's, which is right to a unit in the last place at any size of the exponent.
static inline vf powOf(vf a, vf b) {
  for (int i = 0; i < kLanes; ++i) a[i] = std::pow(a[i], b[i]);
  return a;
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
