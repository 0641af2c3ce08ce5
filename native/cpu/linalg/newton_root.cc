// Coupled Newton (Anil et al. 2020): M = z A, X = z^(1/p) I, z = (1 + p) / (2 |A|_F), then
// T = ((p + 1) I - M) / p, X <- X T, M <- T^p M until M = I. Its own error says nothing about X at
// a high condition number, so the result is judged by the true residual, in float64.
#include "cpu/linalg/newton_root.h"

#include <cmath>
#include <utility>

#include "cpu/eigen/panels.h"
#include "cpu/linalg/root_residual.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

constexpr int kMaxIterations = 100;
constexpr double kConverged = 1e-6;
constexpr double kGrowth = 1.2;
constexpr int kPowerIterations = 100;
constexpr int kBuffers = 6;

struct NewtonWork {
  double* matrix;
  double* buffers[kBuffers];  // float32 or float64 panels
};

NewtonWork takeNewtonWork(int64_t n, Scratch* scratch) {
  const int64_t size = paddedSize<double>(n), sizeF32 = paddedSize<float>(n);
  const int64_t floats = (sizeF32 * sizeF32 + 1) / 2;
  NewtonWork work;
  work.matrix = scratch->take<double>(size * size);
  for (double*& buffer : work.buffers)
    buffer = scratch->take<double>(size * size > floats ? size * size : floats);
  return work;
}

// y = A v for symmetric panels.
void multiplyVector(const double* m, const double* v, int64_t n, double* y) {
  constexpr int W = kPanel<double>;
  const int64_t size = paddedSize<double>(n);
  for (int64_t c = 0; c < size; c += W) {
    const double* panel = m + c * size;
    vd y0 = {}, y1 = {};
    for (int64_t k = 0; k < n; ++k) {
      y0 += v[k] * load(panel + k * W);
      y1 += v[k] * load(panel + k * W + kLanesF64);
    }
    store(y + c, y0), store(y + c + kLanesF64, y1);
  }
}

// Largest eigenvalue in magnitude, by power iteration from a fixed vector without symmetry.
double largestEigenvalue(const double* m, int64_t n, double* v, double* y) {
  for (int64_t i = 0; i < n; ++i) {
    const double turn = 0.6180339887498949 * static_cast<double>(i + 1);
    v[i] = 0.5 + (turn - std::floor(turn));
  }
  double lambda = 0;
  for (int k = 0; k < kPowerIterations; ++k) {
    double vv = 0, vy = 0, largest = 0;
    multiplyVector(m, v, n, y);
    for (int64_t i = 0; i < n; ++i)
      vv += v[i] * v[i], vy += v[i] * y[i], largest = std::fmax(largest, std::fabs(y[i]));
    const double last = std::exchange(lambda, vy / vv);
    if (largest == 0 || std::fabs(lambda - last) <= 1e-6 * std::fabs(lambda)) break;
    for (int64_t i = 0; i < n; ++i) v[i] = y[i] / largest;
  }
  return lambda;
}

// max|M - I|, infinite when an entry is not a number.
template <class T>
double distanceFromIdentity(const T* m, int64_t n) {
  const int64_t size = paddedSize<T>(n);
  double largest = 0;
  for (int64_t r = 0; r < n; ++r)
    for (int64_t c = 0; c < n; ++c) {
      const double error = std::fabs(at(m, size, r, c) - (r == c ? 1.0 : 0.0));
      if (std::isnan(error)) return HUGE_VAL;
      if (error > largest) largest = error;
    }
  return largest;
}

// Runs the iteration in buffers 0 to 5 and leaves X in buffer 0. Returns the number of iterations.
template <class T>
int iterate(Lower a, int64_t p, double shift, double z, const NewtonWork& work, ThreadPool& pool) {
  const int64_t n = a.n, size = paddedSize<T>(n);
  T* buffers[kBuffers];
  for (int i = 0; i < kBuffers; ++i) buffers[i] = reinterpret_cast<T*>(work.buffers[i]);
  T *x = buffers[0], *nextX = buffers[1], *m = buffers[2], *t = buffers[3], *power = buffers[4],
    *spare = buffers[5];
  fillSymmetric(a, z, shift, m, pool);
  std::memset(x, 0, sizeof(T) * static_cast<size_t>(size * size));
  const T start = static_cast<T>(std::pow(z, 1.0 / static_cast<double>(p)));
  for (int64_t i = 0; i < n; ++i) at(x, size, i, i) = start;

  const T inverse = static_cast<T>(1.0 / static_cast<double>(p));
  double error = distanceFromIdentity(m, n);
  int iterations = 0;
  while (iterations < kMaxIterations && !(error < kConverged)) {
    for (int64_t i = 0; i < size * size; ++i) t[i] = -inverse * m[i];
    for (int64_t i = 0; i < n; ++i) at(t, size, i, i) += static_cast<T>(p + 1) * inverse;
    const T* tp = symmetricPower(t, p, size, n, power, spare, pool);
    symmetricProduct(x, t, size, n, nextX, pool);
    T*& unused = tp == spare ? power : spare;
    symmetricProduct(tp, m, size, n, unused, pool);
    std::swap(m, unused);
    ++iterations;
    const double last = std::exchange(error, distanceFromIdentity(m, n));
    // The first step folds the eigenvalues of M above 1 below it, and max|M - I| may grow by that
    // alone (a matrix of rank one); from then on I - M is positive semidefinite and shrinks.
    const double limit = iterations == 1 ? HUGE_VAL : kGrowth * last;
    if (!(error < limit)) break;  // x is still the X before this step
    std::swap(x, nextX);
  }
  if (x != buffers[0]) std::memcpy(buffers[0], x, sizeof(T) * static_cast<size_t>(size * size));
  return iterations;
}

// The result of one precision, its X in float64 left in buffer 0.
template <class T>
RootResult attempt(Lower a, int64_t p, double shift, double z, const NewtonWork& work,
                   ThreadPool& pool) {
  const int32_t iterations = iterate<T>(a, p, shift, z, work, pool);
  const int64_t n = a.n, size = paddedSize<double>(n), from = paddedSize<T>(n);
  double* x = work.buffers[0];
  if (sizeof(T) == sizeof(float)) {
    std::memcpy(work.buffers[1], x, sizeof(T) * static_cast<size_t>(from * from));
    std::memset(x, 0, sizeof(double) * static_cast<size_t>(size * size));
    for (int64_t r = 0; r < n; ++r)
      for (int64_t c = 0; c < n; ++c)
        at(x, size, r, c) = at(reinterpret_cast<T*>(work.buffers[1]), from, r, c);
  }
  const double* power = symmetricPower(x, p, size, n, work.buffers[2], work.buffers[3], pool);
  const double residual = residualFromIdentity(work.matrix, power, n, pool);
  return {residual, residual <= kRootTolerance ? MatrixStatus::ok : MatrixStatus::residual,
          iterations};
}

}  // namespace

size_t newtonRootScratchBytes(int64_t n) {
  Scratch scratch(nullptr);
  takeNewtonWork(n, &scratch);
  return scratch.bytes();
}

RootResult newtonRoot(Lower a, const RootOptions& options, float* out, void* memory,
                      ThreadPool& pool) {
  if (!isFinite(a)) return {HUGE_VAL, MatrixStatus::notFinite, 0};
  Scratch scratch(memory);
  const int64_t n = a.n, size = paddedSize<double>(n);
  const NewtonWork work = takeNewtonWork(n, &scratch);
  fillSymmetric(a, 1.0, options.epsilon, work.matrix, pool);
  const double largest = largestEigenvalue(work.matrix, n, work.buffers[0], work.buffers[1]);
  if (!(largest > 0)) return {HUGE_VAL, MatrixStatus::notPositive, 0};
  const double ridge = options.ridge * largest;
  for (int64_t i = 0; i < n; ++i) at(work.matrix, size, i, i) += ridge;
  double square = 0;
  for (int64_t i = 0; i < size * size; ++i) square += work.matrix[i] * work.matrix[i];
  const double z = (1 + options.p) / (2 * std::sqrt(square));
  const double shift = options.epsilon + ridge;
  const int64_t p = static_cast<int64_t>(options.p);

  RootResult result = attempt<float>(a, p, shift, z, work, pool);
  if (result.status != MatrixStatus::ok) {
    const int32_t wasted = result.iterations;
    result = attempt<double>(a, p, shift, z, work, pool);
    result.iterations += wasted;
  }
  if (result.status == MatrixStatus::ok && !writeRows(work.buffers[0], n, out, pool))
    result.status = MatrixStatus::overflow;
  return result;
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
