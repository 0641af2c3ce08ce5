// By eigendecomposition: X = V^T diag(mu^(-1/p)) V with mu = lambda + epsilon + ridge * lambda_max
// + lift, mu at least 2^-52 lambda_max so that round-off below zero cannot become NaN. X = B^T B
// for the rows B = mu^(-1/2p) V, so root, powers and residual are all the one product of panels.h.
#include "inverse_root.h"

#include <cfloat>
#include <cmath>

#include "eigh.h"
#include "newton_root.h"
#include "panels.h"
#include "root_residual.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

bool isInteger(double p) { return p >= 1 && p <= 1 << 30 && p == std::floor(p); }

struct Work {
  EighWork eigh;
  double *values, *root, *matrix;
};

Work takeWork(int64_t n, Scratch* scratch) {
  const int64_t size = paddedSize<double>(n);
  Work work;
  work.eigh = takeEighWork(n, scratch);
  work.values = scratch->take<double>(size);
  work.root = scratch->take<double>(size * size);
  work.matrix = scratch->take<double>(size * size);
  return work;
}

// Multiplies row i of the panels by mu[i]^exponent.
void scaleRows(double* rows, const double* mu, double exponent, int64_t n) {
  constexpr int W = kPanel<double>;
  const int64_t size = paddedSize<double>(n);
  for (int64_t i = 0; i < n; ++i) {
    const double factor = std::pow(mu[i], exponent);
    for (int64_t j = 0; j < size / W; ++j) {
      double* part = rows + j * size * W + i * W;
      for (int c = 0; c < W; ++c) part[c] *= factor;
    }
  }
}

}  // namespace

size_t inverseRootScratchBytes(int64_t n, const RootOptions& options) {
  if (options.newton && isInteger(options.p)) return newtonRootScratchBytes(n);
  Scratch scratch(nullptr);
  takeWork(n, &scratch);
  return scratch.bytes();
}

RootResult inverseRoot(const float* a, int64_t n, const RootOptions& options, float* out,
                       void* memory, ThreadPool& pool) {
  if (n == 0) return {0, MatrixStatus::ok, 0};
  if (options.newton && isInteger(options.p)) return newtonRoot(a, n, options, out, memory, pool);

  Scratch scratch(memory);
  const Work work = takeWork(n, &scratch);
  const int64_t size = paddedSize<double>(n);
  double* mu = work.values;
  if (!eighPanels(a, n, mu, work.eigh, pool)) return {HUGE_VAL, MatrixStatus::notFinite, 0};
  double largest = -HUGE_VAL, smallest = HUGE_VAL;
  for (int64_t i = 0; i < n; ++i) {
    largest = std::fmax(largest, mu[i] + options.epsilon);
    smallest = std::fmin(smallest, mu[i]);
  }
  if (!(largest > 0)) return {HUGE_VAL, MatrixStatus::notPositive, 0};
  const double lift = -smallest <= kRootRounding * largest ? std::fmax(-smallest, 0) : 0;
  const double shift = options.epsilon + options.ridge * largest + lift;
  for (int64_t i = 0; i < n; ++i) mu[i] = std::fmax(mu[i] + shift, DBL_EPSILON * largest);

  double* rows = work.eigh.vectors;
  const double p = options.p;
  scaleRows(rows, mu, -0.5 / p, n);
  symmetricProduct(rows, rows, size, n, work.root, pool);
  fillSymmetric(a, n, 1.0, shift, work.matrix);
  const double* power;
  if (isInteger(p)) {
    power =
        symmetricPower(work.root, static_cast<int64_t>(p), size, n, rows, work.eigh.panels, pool);
  } else {  // X^p from the same eigenvectors
    scaleRows(rows, mu, 0.5 / p - 0.5, n);
    symmetricProduct(rows, rows, size, n, work.eigh.panels, pool);
    power = work.eigh.panels;
  }
  const double residual = residualFromIdentity(work.matrix, power, n, pool);
  if (!(residual <= kRootTolerance)) return {residual, MatrixStatus::residual, 0};
  if (!writeSymmetric(work.root, n, out)) return {residual, MatrixStatus::notFinite, 0};
  return {residual, MatrixStatus::ok, 0};
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
