// A^(-1/p) of a symmetric positive semidefinite matrix by one block, as
// native/cpu/linalg/inverse_root.h: by eigendecomposition in float64, or by coupled Newton (Anil et
// al. 2020) in float32 and, where the true residual fails, once more in float64.
#pragma once

#include "cuda/eigen/eigh.h"

namespace flatmin {
namespace cuda {

struct RootOptions {
  double p, ridge, epsilon;
  bool newton;

  __host__ __device__ bool isInteger() const { return p >= 1 && p <= 1 << 30 && p == floor(p); }
};

enum RootStatus {
  kRootOk,
  kRootNotFinite,
  kRootNotPositive,
  kRootResidual,
  kRootNotConverged,
  kRootOverflow
};

struct RootResult {
  double residual;
  int status, iterations;
};

constexpr double kRootTolerance = 0.1, kRootRounding = 1e-4;
constexpr int kRootBuffers = 8;

__host__ __device__ inline int64_t rootNumbers(int64_t n) {
  return kRootBuffers * n * n + 2 * n + rotationNumbers(n);
}

// Writes the result in float32; false, and nothing written, where an entry does not fit.
__device__ inline bool writeRoot(const double* x, int64_t n, float* out) {
  double bad = 0;
  for (int64_t i = threadIdx.x; i < n * n; i += kThreads)
    if (!isFinite(static_cast<float>(x[i]))) bad = 1;
  if (blockMax(bad) != 0) return false;
  copyMatrix(x, n, out);
  return true;
}

// With the residual of X^p, `power`, judged and X written.
__device__ inline RootResult finishRoot(const double* matrix, const double* power, const double* x,
                                        int64_t n, int iterations, double* product, float* out) {
  multiply(matrix, false, power, n, kWhole, product);
  const double residual = distanceFromIdentity(product, n);
  if (!(residual <= kRootTolerance)) return {residual, kRootResidual, iterations};
  if (!writeRoot(x, n, out)) return {residual, kRootOverflow, iterations};
  return {residual, kRootOk, iterations};
}

__device__ inline void scaleRows(double* rows, int64_t n, const double* mu, double exponent) {
  for (int64_t i = threadIdx.x; i < n * n; i += kThreads) rows[i] *= pow(mu[i / n], exponent);
  __syncthreads();
}

// The root of A with its eigenvalues on the diagonal of the first matrix of the work, their vectors
// in the rows of the second.
__device__ inline RootResult spectralRoot(const Symmetric& source, const RootOptions& options,
                                          double* work, float* out) {
  const int64_t n = source.n;
  double *a = work, *v = a + n * n, *x = v + n * n, *matrix = x + n * n;
  double *spare = matrix + n * n, *mu = work + kRootBuffers * n * n;
  double most = -INFINITY, least = -INFINITY;
  for (int64_t i = threadIdx.x; i < n; i += kThreads) {
    most = fmax(most, a[i * n + i]);
    least = fmax(least, -a[i * n + i]);
  }
  const double largest = blockMax(most) + options.epsilon, smallest = -blockMax(least);
  if (!(largest > 0)) return {INFINITY, kRootNotPositive, 0};
  const double lift = -smallest <= kRootRounding * largest ? fmax(-smallest, 0.0) : 0;
  const double shift = options.epsilon + options.ridge * largest + lift;
  for (int64_t i = threadIdx.x; i < n; i += kThreads)
    mu[i] = fmax(a[i * n + i] + shift, 2.220446049250313e-16 * largest);
  __syncthreads();
  scaleRows(v, n, mu, -0.5 / options.p);
  multiply(v, true, v, n, kHalf, x);
  fillSymmetric(source, 1.0, shift, matrix);
  if (options.isInteger()) {
    const double* power = symmetricPower(x, static_cast<int64_t>(options.p), n, a, v);
    return finishRoot(matrix, power, x, n, 0, spare, out);
  }
  scaleRows(v, n, mu, 0.5 / options.p - 0.5);
  multiply(v, true, v, n, kHalf, a);
  return finishRoot(matrix, a, x, n, 0, spare, out);
}

// A in the coordinates of the rows V of a basis, made orthonormal by V + (I − VVᵀ)V/2, in the first
// matrix of the work, V in the second; false where the basis is none.
__device__ inline bool startWarm(const Symmetric& source, const float* basis, double* work) {
  const int64_t n = source.n;
  double *a = work, *v = a + n * n, *columns = v + n * n, *given = columns + n * n;
  double *factor = given + n * n, *matrix = factor + n * n;
  copyMatrix(basis, n, given);
  transpose(given, n, columns);
  multiply(columns, true, columns, n, kHalf, factor);
  if (!(distanceFromIdentity(factor, n) <= 1e-5)) return false;  // a few roundings to float32
  for (int64_t i = threadIdx.x; i < n * n; i += kThreads)
    factor[i] = (i % (n + 1) == 0 ? 1.5 : 0.0) - factor[i] / 2;
  __syncthreads();
  multiply(factor, false, given, n, kWhole, v);
  transpose(v, n, columns);
  fillSymmetric(source, 1.0, 0.0, matrix);
  multiply(v, false, matrix, n, kWhole, given);
  multiply(given, false, columns, n, kHalf, a);
  return true;
}

__device__ inline RootResult eighRoot(const Symmetric& source, const RootOptions& options,
                                      double* work, float* out, float* basis) {
  const int64_t n = source.n;
  double *a = work, *v = a + n * n, *rotations = work + kRootBuffers * n * n + n;
  for (bool warm = basis != nullptr && startWarm(source, basis, work);; warm = false) {
    if (!warm) {
      fillSymmetric(source, 1.0, 0.0, a);
      setIdentity(v, n);
    }
    if (!diagonalise(a, n, v, rotations)) {
      if (warm) continue;
      return {INFINITY, kRootNotConverged, 0};
    }
    if (basis != nullptr) copyMatrix(v, n, basis);
    const RootResult result = spectralRoot(source, options, work, out);
    if (!warm || result.status == kRootOk) return result;
  }
}

// Largest eigenvalue in magnitude, by power iteration from a fixed vector without symmetry.
__device__ inline double largestEigenvalue(const double* m, int64_t n, double* v, double* y) {
  for (int64_t i = threadIdx.x; i < n; i += kThreads) {
    const double turn = 0.6180339887498949 * static_cast<double>(i + 1);
    v[i] = 0.5 + (turn - floor(turn));
  }
  __syncthreads();
  double lambda = 0;
  for (int k = 0; k < 100; ++k) {
    double vv = 0, vy = 0, top = 0;
    for (int64_t i = threadIdx.x; i < n; i += kThreads) {
      double sum = 0;
      for (int64_t r = 0; r < n; ++r) sum += m[r * n + i] * v[r];
      y[i] = sum;
      vv += v[i] * v[i];
      vy += v[i] * sum;
      top = fmax(top, fabs(sum));
    }
    vv = blockSum(vv), vy = blockSum(vy), top = blockMax(top);
    const double last = lambda;
    lambda = vy / vv;
    if (top == 0 || fabs(lambda - last) <= 1e-6 * fabs(lambda)) break;
    for (int64_t i = threadIdx.x; i < n; i += kThreads) v[i] = y[i] / top;
    __syncthreads();
  }
  return lambda;
}

// Runs the iteration in six matrices of n × n doubles and returns where X is; the stopping rule is
// that of native/cpu/linalg/newton_root.cc.
template <class T>
__device__ T* iterateNewton(const Symmetric& source, int64_t p, double shift, double z,
                            double* buffers, int* iterations) {
  const int64_t n = source.n;
  T* at[6];
  for (int i = 0; i < 6; ++i) at[i] = reinterpret_cast<T*>(buffers + i * n * n);
  T *x = at[0], *nextX = at[1], *m = at[2], *t = at[3], *power = at[4], *spare = at[5];
  fillSymmetric(source, z, shift, m);
  const T start = static_cast<T>(pow(z, 1.0 / static_cast<double>(p)));
  for (int64_t i = threadIdx.x; i < n * n; i += kThreads) x[i] = i % (n + 1) == 0 ? start : T(0);
  const T inverse = T(1) / static_cast<T>(p);
  double error = distanceFromIdentity(m, n);
  for (int k = 1; k <= 100 && !(error < 1e-6); ++k) {
    for (int64_t i = threadIdx.x; i < n * n; i += kThreads)
      t[i] = (i % (n + 1) == 0 ? static_cast<T>(p + 1) - m[i] : -m[i]) * inverse;
    __syncthreads();
    const T* tp = symmetricPower(t, p, n, power, spare);
    multiply(x, false, t, n, kHalf, nextX);
    T*& unused = tp == spare ? power : spare;
    multiply(tp, false, m, n, kHalf, unused);
    T* const nextM = unused;
    unused = m;
    m = nextM;
    *iterations += 1;
    const double last = error;
    error = distanceFromIdentity(m, n);
    if (!(error < (k == 1 ? INFINITY : 1.2 * last))) break;  // x is still the X before this step
    T* const taken = nextX;
    nextX = x;
    x = taken;
  }
  return x;
}

template <class T>
__device__ RootResult attemptNewton(const Symmetric& source, int64_t p, double shift, double z,
                                    double* work, int iterations, float* out) {
  const int64_t n = source.n;
  double *matrix = work, *root = matrix + n * n, *buffers = root + n * n;
  const T* x = iterateNewton<T>(source, p, shift, z, buffers, &iterations);
  copyMatrix(x, n, root);
  double *first = buffers, *second = first + n * n, *product = second + n * n;
  const double* power = symmetricPower(root, p, n, first, second);
  return finishRoot(matrix, power, root, n, iterations, product, out);
}

__device__ inline RootResult newtonRoot(const Symmetric& source, const RootOptions& options,
                                        double* work, float* out) {
  const int64_t n = source.n;
  double *matrix = work, *vector = work + kRootBuffers * n * n;
  fillSymmetric(source, 1.0, options.epsilon, matrix);
  const double largest = largestEigenvalue(matrix, n, vector, vector + n);
  if (!(largest > 0)) return {INFINITY, kRootNotPositive, 0};
  const double shift = options.epsilon + options.ridge * largest;
  fillSymmetric(source, 1.0, shift, matrix);
  const double z = (1 + options.p) / (2 * sqrt(sumOfSquares(matrix, n, false)));
  const int64_t p = static_cast<int64_t>(options.p);
  const RootResult result = attemptNewton<float>(source, p, shift, z, work, 0, out);
  if (result.status != kRootResidual) return result;
  return attemptNewton<double>(source, p, shift, z, work, result.iterations, out);
}

// out is written only when the status is kRootOk. work: rootNumbers(n). basis, or null: rows of
// eigenvectors to begin from, zeros where there are none, and those found.
__device__ inline RootResult inverseRoot(const Symmetric& source, const RootOptions& options,
                                         double* work, float* out, float* basis) {
  if (source.n == 0) return {0, kRootOk, 0};
  if (!lowerIsFinite(source)) return {INFINITY, kRootNotFinite, 0};
  if (options.newton && options.isInteger()) return newtonRoot(source, options, work, out);
  return eighRoot(source, options, work, out, basis);
}

// Blocks for so many matrices, each with scratch of its own, within a gigabyte.
inline unsigned blocksForMatrices(int64_t count, int64_t scratchBytes) {
  const int64_t most =
      std::max<int64_t>((int64_t{1} << 30) / std::max<int64_t>(scratchBytes, 1), 1);
  return static_cast<unsigned>(std::min({count, most, int64_t{1024}}));
}

}  // namespace cuda
}  // namespace flatmin
