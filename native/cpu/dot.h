// Dot products in float64, lanes added in a fixed order.
#pragma once

#include <cstdint>

#include "simd.h"

namespace flatmin {
namespace FLATMIN_ISA {

inline double sumLanes(vd v) {
  double lanes[kLanesF64];
  store(lanes, v);
  for (int width = kLanesF64 / 2; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) lanes[i] += lanes[i + width];
  return lanes[0];
}

inline double dot(const double* a, const double* b, int64_t n) {
  vd sum = {};
  int64_t i = 0;
  for (; i + kLanesF64 <= n; i += kLanesF64) sum += load(a + i) * load(b + i);
  double total = sumLanes(sum);
  for (; i < n; ++i) total += a[i] * b[i];
  return total;
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
