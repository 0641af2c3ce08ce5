// One-sided Jacobi rotations (Hestenes 1958) of the rows of W = V (A + rho I), n/2 pairs at a time
// in the order of a round-robin tournament, V turned alike, until the rows are orthogonal: W =
// Lambda V.
#include "cpu/eigen/warm_eigh.h"

#include <atomic>
#include <cmath>
#include <cstring>

#include "cpu/base/dot.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

// As in src/linalg/warm-eigh.ts.
constexpr double kRounded = 1e-5, kOrthogonal = 1e-10, kShift = 2e-4;
constexpr int kMostSweeps = 30;

constexpr int64_t kRowWidth = kPanel<double>, L = kLanesF64;

// c = a^T b
void multiplyPanels(const double* a, const double* b, int64_t n, double* c, ThreadPool& pool) {
  const int64_t size = paddedSize<double>(n), tiles = size / kRowWidth;
  pool.parallel(tiles, [=](int64_t j, int) {
    for (int64_t i = 0; i < tiles; ++i)
      multiplyTile(tile(a, size, 0, i), tile(b, size, 0, j), 0, n, tile(c, size, i, j));
  });
}

void transposePanels(const double* from, int64_t n, double* to, ThreadPool& pool) {
  const int64_t size = paddedSize<double>(n), tiles = size / kRowWidth;
  pool.parallel(tiles, [=](int64_t j, int) {
    for (int64_t i = 0; i < tiles; ++i) transposeTile(tile(from, size, i, j), tile(to, size, j, i));
  });
}

void readRows(const float* rows, int64_t n, double* to, ThreadPool& pool) {
  const int64_t size = paddedSize<double>(n);
  pool.parallel(size / kRowWidth, [=](int64_t j, int) {
    double* panel = tile(to, size, 0, j);
    std::memset(panel, 0, sizeof(double) * static_cast<size_t>(size * kRowWidth));
    for (int64_t r = 0; r < n; ++r)
      for (int64_t c = 0; c < kRowWidth && j * kRowWidth + c < n; ++c)
        panel[r * kRowWidth + c] = rows[r * n + j * kRowWidth + c];
  });
}

// gram <- 3/2 I - gram/2; false where it is too far from I.
bool correctionOf(double* gram, int64_t n) {
  const int64_t size = paddedSize<double>(n);
  for (int64_t r = 0; r < n; ++r)
    for (int64_t c = 0; c < n; ++c) {
      double& x = at(gram, size, r, c);
      if (!(std::fabs(x - (r == c ? 1.0 : 0.0)) <= kRounded)) return false;
      x = (r == c ? 1.5 : 0.0) - x / 2;
    }
  return true;
}

struct Products {
  double xx, yy, xy;
};

Products productsOf(const double* x, const double* y, int64_t size) {
  vd xx = {}, yy = {}, xy = {};
  for (int64_t j = 0; j < size / kRowWidth; ++j, x += size * kRowWidth, y += size * kRowWidth)
    for (int64_t h = 0; h < kRowWidth; h += L) {
      const vd a = load(x + h), b = load(y + h);
      xx += a * a, yy += b * b, xy += a * b;
    }
  return {sumLanes(xx), sumLanes(yy), sumLanes(xy)};
}

void rotate(double* x, double* y, int64_t size, double c, double s) {
  for (int64_t j = 0; j < size / kRowWidth; ++j, x += size * kRowWidth, y += size * kRowWidth)
    for (int64_t h = 0; h < kRowWidth; h += L) {
      const vd a = load(x + h), b = load(y + h);
      store(x + h, c * a - s * b);
      store(y + h, s * a + c * b);
    }
}

// Makes rows p and q of w orthogonal; false where they are.
bool turn(double* w, double* v, int64_t size, int64_t p, int64_t q) {
  const Products dots = productsOf(w + p * kRowWidth, w + q * kRowWidth, size);
  if (std::fabs(dots.xy) <= kOrthogonal * std::sqrt(dots.xx * dots.yy)) return false;
  const double zeta = (dots.yy - dots.xx) / (2 * dots.xy);
  const double t = std::copysign(1 / (std::fabs(zeta) + std::hypot(zeta, 1.0)), zeta);
  const double c = 1 / std::hypot(t, 1.0);
  rotate(w + p * kRowWidth, w + q * kRowWidth, size, c, c * t);
  rotate(v + p * kRowWidth, v + q * kRowWidth, size, c, c * t);
  return true;
}

bool orthogonalise(double* w, double* v, int64_t n, ThreadPool& pool) {
  const int64_t size = paddedSize<double>(n);
  const int64_t circle =
      n % 2 == 0 ? n - 1 : n;  // the place of the one who stands still, or of none
  for (int sweep = 0; sweep < kMostSweeps; ++sweep) {
    std::atomic<bool> turned{false};
    for (int64_t round = 0; round < circle; ++round)
      pool.parallel((circle + 1) / 2, [&](int64_t pair, int) {
        const int64_t p = pair == 0 ? circle : (round + pair) % circle;
        const int64_t q = (round + circle - pair) % circle;
        if (p < n && turn(w, v, size, p, q)) turned = true;
      });
    if (!turned) return true;
  }
  return false;
}

}  // namespace

bool warmPanels(Lower a, const float* basis, const EighWork& work, ThreadPool& pool) {
  const int64_t n = a.n, size = paddedSize<double>(n);
  if (!isFinite(a)) return false;
  double trace = 0;
  for (int64_t i = 0; i < n; ++i) trace += a.row(i)[i];
  if (!(trace > 0)) return false;
  double *v = work.tridiagonal.vectors, *columns = work.tridiagonal.packed;
  double *w = work.tridiagonal.coefficients, *matrix = work.matrix;

  readRows(basis, n, v, pool);
  transposePanels(v, n, columns, pool);
  symmetricProduct(columns, columns, size, n, w, pool);
  if (!correctionOf(w, n)) return false;
  multiplyPanels(w, v, n, matrix, pool);
  std::memcpy(v, matrix, sizeof(double) * static_cast<size_t>(size * size));
  transposePanels(v, n, columns, pool);
  const double shift = kShift * trace;
  fillSymmetric(a, 1.0, shift, matrix, pool);
  multiplyPanels(columns, matrix, n, w, pool);
  if (!orthogonalise(w, v, n, pool)) return false;
  for (int64_t i = 0; i < n; ++i)
    work.tridiagonal.values[i] = productsOf(w + i * kRowWidth, v + i * kRowWidth, size).xy - shift;
  return true;
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
