// By eigendecomposition: X = V^T diag(mu^(-1/p)) V with mu = lambda + epsilon + ridge * lambda_max
// + lift, mu at least 2^-52 lambda_max so that round-off below zero cannot become NaN. X = B^T B
// for the rows B = mu^(-1/2p) V, so root, powers and residual are all the one product of panels.h.
#include "cpu/linalg/inverse_root.h"

#include <cfloat>
#include <cmath>

#include "cpu/eigen/eigh.h"
#include "cpu/eigen/panels.h"
#include "cpu/eigen/warm_eigh.h"
#include "cpu/linalg/newton_root.h"
#include "cpu/linalg/root_residual.h"
#include "cpu/linalg/sampled_residual.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

bool isInteger(double p) { return p >= 1 && p <= 1 << 30 && p == std::floor(p); }

bool byNewton(const RootOptions& options) { return options.newton && isInteger(options.p); }

// Multiplies row i of the panels by mu[i]^exponent.
void scaleRows(double* rows, const double* mu, double exponent, int64_t n, double* factors,
               ThreadPool& pool) {
  constexpr int64_t W = kPanel<double>;
  const int64_t size = paddedSize<double>(n);
  for (int64_t i = 0; i < n; ++i) factors[i] = std::pow(mu[i], exponent);
  pool.parallel(size / W, [=](int64_t j, int) {
    double* row = rows + j * size * W;
    for (int64_t i = 0; i < n; ++i, row += W)
      for (int64_t c = 0; c < W; ++c) row[c] *= factors[i];
  });
}

// The root of the A whose eigenvalues and vectors are in the work.
RootResult spectralRoot(Lower a, const RootOptions& options, const EighWork& work, float* out,
                        ThreadPool& pool) {
  const int64_t n = a.n, size = paddedSize<double>(n);
  const TridiagonalWork& t = work.tridiagonal;
  double *mu = t.values, *rows = t.vectors, *root = t.coefficients;
  double largest = -HUGE_VAL, smallest = HUGE_VAL;
  for (int64_t i = 0; i < n; ++i) {
    largest = std::fmax(largest, mu[i] + options.epsilon);
    smallest = std::fmin(smallest, mu[i]);
  }
  if (!(largest > 0)) return {HUGE_VAL, MatrixStatus::notPositive, 0};
  const double lift = -smallest <= kRootRounding * largest ? std::fmax(-smallest, 0) : 0;
  const double shift = options.epsilon + options.ridge * largest + lift;
  for (int64_t i = 0; i < n; ++i) mu[i] = std::fmax(mu[i] + shift, DBL_EPSILON * largest);

  const double p = options.p;
  scaleRows(rows, mu, -0.5 / p, n, t.offsets, pool);
  symmetricProduct(rows, rows, size, n, root, pool);
  fillSymmetric(a, 1.0, shift, work.matrix, pool);
  double residual = HUGE_VAL;
  if (options.sampled && canSample(n, p))
    residual = sampledResidual(work.matrix, root, static_cast<int>(p), n, t.packed, pool);
  if (!(residual <= kUndoubted * kRootTolerance)) {
    const double* power = t.packed;
    if (isInteger(p)) {
      power = symmetricPower(root, static_cast<int64_t>(p), size, n, rows, t.packed, pool);
    } else {  // X^p from the same eigenvectors
      scaleRows(rows, mu, 0.5 / p - 0.5, n, t.offsets, pool);
      symmetricProduct(rows, rows, size, n, t.packed, pool);
    }
    residual = residualFromIdentity(work.matrix, power, n, pool);
  }
  if (!(residual <= kRootTolerance)) return {residual, MatrixStatus::residual, 0};
  if (!writeRows(root, n, out, pool)) return {residual, MatrixStatus::overflow, 0};
  return {residual, MatrixStatus::ok, 0};
}

}  // namespace

size_t inverseRootScratchBytes(int64_t n, const RootOptions& options) {
  if (byNewton(options)) return newtonRootScratchBytes(n);
  Scratch scratch(nullptr);
  takeEighWork(n, &scratch);
  return scratch.bytes();
}

void beginInverseRoot(Lower a, const RootOptions& options, void* memory) {
  if (a.n == 0 || options.warm || byNewton(options)) return;
  Scratch scratch(memory);
  beginPanels(a, takeEighWork(a.n, &scratch));
}

RootResult finishInverseRoot(Lower a, const RootOptions& options, float* out, void* memory,
                             ThreadPool& pool, float* basis) {
  const int64_t n = a.n;
  if (n == 0) return {0, MatrixStatus::ok, 0};
  if (byNewton(options)) return newtonRoot(a, options, out, memory, pool);

  Scratch scratch(memory);
  const EighWork work = takeEighWork(n, &scratch);
  if (options.warm) {
    if (warmPanels(a, basis, work, pool)) {
      writeRows(work.tridiagonal.vectors, n, basis, pool);
      const RootResult result = spectralRoot(a, options, work, out, pool);
      if (result.status == MatrixStatus::ok) return result;
    }
    beginPanels(a, work);
  }
  const MatrixStatus found = finishPanels(n, work, pool);
  if (found != MatrixStatus::ok) return {HUGE_VAL, found, 0};
  if (options.warm) writeRows(work.tridiagonal.vectors, n, basis, pool);
  return spectralRoot(a, options, work, out, pool);
}

RootResult inverseRoot(Lower a, const RootOptions& options, float* out, void* memory,
                       ThreadPool& pool, float* basis) {
  beginInverseRoot(a, options, memory);
  return finishInverseRoot(a, options, out, memory, pool, basis);
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
