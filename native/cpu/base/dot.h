// Dot products in float64, lanes added in a fixed order.
#pragma once

#include <cstdint>

#include "cpu/base/simd.h"

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

// kLanesF64 floats as doubles.
inline vd loadWide(const float* p) {
  typedef float Half __attribute__((vector_size(kLanesF64 * sizeof(float))));
  Half v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_convertvector(v, vd);
}

// Of floats: every product is exact.
inline double dot(const float* a, const float* b, int64_t n) {
  constexpr int kSums = 4;
  vd sums[kSums] = {};
  int64_t i = 0;
  for (; i + kSums * kLanesF64 <= n; i += kSums * kLanesF64)
    for (int k = 0; k < kSums; ++k)
      sums[k] += loadWide(a + i + k * kLanesF64) * loadWide(b + i + k * kLanesF64);
  double total = sumLanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
  for (; i < n; ++i) total += static_cast<double>(a[i]) * b[i];
  return total;
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
