#include "cpu/linalg/sampled_residual.h"

#include <cmath>
#include <utility>

#include "cpu/base/dot.h"
#include "cpu/eigen/panels.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

constexpr int64_t kPanelWidth = kPanel<double>;
constexpr int kDirections = 8;

// Uniform in (-sqrt 3, sqrt 3), of variance 1: a hash (splitmix64) of its index.
double entry(int64_t index) {
  uint64_t x = (static_cast<uint64_t>(index) + 1) * 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  x ^= x >> 31;
  return std::sqrt(3.0) * (static_cast<double>(x >> 11) * 0x1p-52 - 1);
}

// y = z m, the directions in rows of length size.
void multiply(const double* m, const double* z, int64_t n, double* y, ThreadPool& pool) {
  const int64_t size = paddedSize<double>(n);
  pool.parallel(size / kPanelWidth, [=](int64_t j, int) {
    multiplyRows<kDirections>(z, 1, size, tile(m, size, 0, j), n, y + j * kPanelWidth, size);
  });
}

}  // namespace

bool canSample(int64_t n, double p) { return n >= 4 * kDirections && p <= 8 && p == std::floor(p); }

double sampledResidual(const double* a, const double* x, int p, int64_t n, double* memory,
                       ThreadPool& pool) {
  const int64_t size = paddedSize<double>(n);
  double *directions = memory, *from = memory + kDirections * size, *to = from + kDirections * size;
  for (int64_t i = 0; i < kDirections * size; ++i) directions[i] = i % size < n ? entry(i) : 0;
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
