// max|A Y - I| over the n x n part, for symmetric float64 panels a (A) and y (X^p): a full product.
#pragma once

#include <atomic>
#include <cmath>
#include <cstdint>

#include "cpu/eigen/panels.h"

namespace flatmin {
namespace FLATMIN_ISA {

inline double residualFromIdentity(const double* a, const double* y, int64_t n, ThreadPool& pool) {
  constexpr int W = kPanel<double>;
  const int64_t size = paddedSize<double>(n);
  std::atomic<double> largest{0};  // of a maximum the order is left open
  pool.parallel(size / W, [&](int64_t j, int) {
    double product[W * W];
    double most = 0;
    for (int64_t i = 0; i < size / W; ++i) {
      multiplyTile(tile(a, size, 0, i), tile(y, size, 0, j), 0, n, product);
      for (int64_t r = 0; r < W && i * W + r < n; ++r)
        for (int64_t c = 0; c < W && j * W + c < n; ++c) {
          const double error = std::fabs(product[r * W + c] - (i == j && r == c ? 1.0 : 0.0));
          if (!(error <= most)) most = std::isnan(error) ? HUGE_VAL : error;
        }
    }
    double seen = largest.load();
    while (most > seen && !largest.compare_exchange_weak(seen, most)) {
    }
  });
  return largest.load();
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
