// Sums of neighbours in a fixed order.
#pragma once

#include <algorithm>

#include "cpu/base/simd.h"

namespace flatmin {
namespace FLATMIN_ISA {

// Σ of n neighbours: four vectors of floats, a double every 64 of each.
static inline double sumRun(const float* x, int64_t n) {
  constexpr int kVectors = 4;
  constexpr int64_t kColumns = kVectors * kLanes, kFloatRun = 64;
  double total = 0;
  while (n > 0) {
    const int64_t count = std::min(n, kFloatRun * kColumns);
    vf sums[kVectors] = {};
    int64_t i = 0;
    for (; i + kColumns <= count; i += kColumns)
      for (int v = 0; v < kVectors; ++v) sums[v] += load(x + i + v * kLanes);
    for (; i + kLanes <= count; i += kLanes) sums[0] += load(x + i);
    if (i < count) sums[1] += loadTail(x + i, count - i);
    total += sumLanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
    x += count;
    n -= count;
  }
  return total;
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
