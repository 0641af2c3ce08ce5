// Sums of neighbours in a fixed order.
#pragma once

#include <algorithm>

#include "cpu/base/dot.h"

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

// Two sums over [0, n), in a fixed order. f(i, read, first, second) adds what stands at i, where
// read(p) is what p points to, of one element or of a vector of them.
template <class F>
static inline void addSums(int64_t n, double* sums, F f) {
  vd first[2] = {}, second[2] = {};
  int64_t i = 0;
  for (; i + 2 * kLanesF64 <= n; i += 2 * kLanesF64)
    for (int k = 0; k < 2; ++k) f(i + k * kLanesF64, loadWide, first[k], second[k]);
  const auto single = [](const float* p) { return static_cast<double>(*p); };
  double rest[2] = {};
  for (; i < n; ++i) f(i, single, rest[0], rest[1]);
  sums[0] += sumLanes(first[0] + first[1]) + rest[0];
  sums[1] += sumLanes(second[0] + second[1]) + rest[1];
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
