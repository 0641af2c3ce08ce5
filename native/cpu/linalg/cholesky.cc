// A = U^T U, S = U^-T, A^-1 = S^T S, all three left-looking by block rows, so that each tile is one
// product of panels.h and a small triangular solve.
#include "cpu/linalg/cholesky.h"

#include <cmath>

#include "cpu/eigen/panels.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

constexpr int W = kPanel<double>;

struct CholeskyWork {
  double *u, *s, *inverse;
};

CholeskyWork takeCholeskyWork(int64_t n, Scratch* scratch) {
  const int64_t size = paddedSize<double>(n);
  CholeskyWork work;
  work.u = scratch->take<double>(size * size);
  work.s = scratch->take<double>(size * size);
  work.inverse = scratch->take<double>(size * size);
  return work;
}

// t <- the upper Cholesky factor of t, zero below the diagonal. False at a pivot <= 0.
bool factorTile(double* t) {
  for (int k = 0; k < W; ++k) {
    double* row = t + k * W;
    if (!(row[k] > 0)) return false;
    const double inverse = 1 / std::sqrt(row[k]);
    for (int c = 0; c < k; ++c) row[c] = 0;
    for (int c = k; c < W; ++c) row[c] *= inverse;
    for (int r = k + 1; r < W; ++r)
      for (int c = r; c < W; ++c) t[r * W + c] -= row[r] * row[c];
  }
  return true;
}

// t <- u^-T t, u upper triangular.
void solveTile(const double* u, double* t) {
  for (int r = 0; r < W; ++r) {
    vd t0 = load(t + r * W), t1 = load(t + r * W + kLanesF64);
    for (int k = 0; k < r; ++k) {
      t0 -= u[k * W + r] * load(t + k * W);
      t1 -= u[k * W + r] * load(t + k * W + kLanesF64);
    }
    const double inverse = 1 / u[r * W + r];
    store(t + r * W, t0 * inverse);
    store(t + r * W + kLanesF64, t1 * inverse);
  }
}

}  // namespace

size_t choleskyInverseScratchBytes(int64_t n) {
  Scratch scratch(nullptr);
  takeCholeskyWork(n, &scratch);
  return scratch.bytes();
}

MatrixStatus choleskyInverse(Lower a, double damping, float* out, void* memory, ThreadPool& pool) {
  if (!isFinite(a)) return MatrixStatus::notFinite;
  Scratch scratch(memory);
  const int64_t n = a.n;
  const CholeskyWork work = takeCholeskyWork(n, &scratch);
  const int64_t size = paddedSize<double>(n), tiles = size / W;
  double *u = work.u, *s = work.s;

  fillSymmetric(a, 1.0, damping, u, pool);
  for (int64_t i = n; i < size; ++i) at(u, size, i, i) = 1;
  // Tile (k, j) of a factor, from the rows [begin, k) above it.
  const auto reduce = [=](double* factor, int64_t begin, int64_t k, int64_t j) {
    double product[W * W];
    double* t = tile(factor, size, k, j);
    multiplyTile(tile(u, size, 0, k), tile(factor, size, 0, j), begin * W, k * W, product);
    for (int i = 0; i < W * W; ++i) t[i] -= product[i];
    return t;
  };
  for (int64_t k = 0; k < tiles; ++k) {
    if (!factorTile(reduce(u, 0, k, k))) return MatrixStatus::notPositive;
    pool.parallel(tiles - k - 1, [=](int64_t index, int) {
      solveTile(tile(u, size, k, k), reduce(u, 0, k, k + 1 + index));
    });
  }
  pool.parallel(tiles, [=](int64_t j, int) {
    double* const panel = tile(s, size, 0, j);
    std::memset(panel, 0, sizeof(double) * static_cast<size_t>(size * W));
    for (int i = 0; i < W; ++i) panel[(j * W + i) * W + i] = 1;
    for (int64_t k = j; k < tiles; ++k) solveTile(tile(u, size, k, k), reduce(s, j, k, j));
  });
  pool.parallel(tiles, [=](int64_t j, int) {
    for (int64_t i = j; i < tiles; ++i) {
      double* t = tile(work.inverse, size, i, j);
      multiplyTile(tile(s, size, 0, i), tile(s, size, 0, j), i * W, size, t);
      if (i != j) transposeTile(t, tile(work.inverse, size, j, i));
    }
  });
  return writeRows(work.inverse, n, out, pool) ? MatrixStatus::ok : MatrixStatus::overflow;
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
