#include "sampled_residual.h"

#include <cmath>
#include <utility>

#include "dot.h"
#include "panels.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

constexpr int64_t W = kPanel<double>;
constexpr int64_t kDirections = 16;
constexpr int64_t kPanels = kDirections / W;

// Uniform in (-sqrt 3, sqrt 3), of variance 1: a hash (splitmix64) of its index.
double entry(int64_t index) {
  uint64_t x = (static_cast<uint64_t>(index) + 1) * 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  x ^= x >> 31;
  return std::sqrt(3.0) * (std::ldexp(static_cast<double>(x >> 11), -52) - 1);
}

// y = m z
void multiply(const double* m, const double* z, int64_t n, double* y, ThreadPool& pool) {
  const int64_t size = paddedSize<double>(n);
  pool.parallel(size / W, [=](int64_t i, int) {
    for (int64_t panel = 0; panel < kPanels; ++panel)
      multiplyTile(tile(m, size, 0, i), tile(z, size, 0, panel), 0, n, tile(y, size, i, panel));
  });
}

}  // namespace

bool canSample(int64_t n, double p) { return n >= 3 * kDirections && p <= 8 && p == std::floor(p); }

double sampledResidual(const double* a, const double* x, int p, int64_t n, double* memory,
                       ThreadPool& pool) {
  const int64_t size = paddedSize<double>(n);
  double *directions = memory, *from = memory + kDirections * size, *to = from + kDirections * size;
  pool.parallel(size / W, [=](int64_t i, int) {
    for (int64_t r = i * W; r < (i + 1) * W; ++r)
      for (int64_t c = 0; c < kDirections; ++c)
        at(directions, size, r, c) = r < n ? entry(r * kDirections + c) : 0;
  });
  multiply(x, directions, n, from, pool);
  for (int power = 1; power < p; ++power) {
    multiply(x, from, n, to, pool);
    std::swap(from, to);
  }
  multiply(a, from, n, to, pool);
  double square = 0;
  for (int64_t i = 0; i < kDirections * size; ++i)
    square += (to[i] - directions[i]) * (to[i] - directions[i]);
  return std::sqrt(square / kDirections);
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
