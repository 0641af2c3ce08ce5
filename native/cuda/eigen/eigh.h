// Eigendecomposition of a symmetric matrix by one block: cyclic Jacobi (Golub & Van Loan 8.5) in
// float64, n/2 disjoint rotations at a time in the order of a round-robin tournament.
#pragma once

#include "cuda/eigen/matrix.h"

namespace flatmin {
namespace cuda {

constexpr int kMostSweeps = 30;         // ten are many
constexpr double kOffDiagonal = 1e-15;  // of the matrix' norm: counts as zero
constexpr double kSettled = 1e-10;      // the most after the last sweep

// Numbers of a block's scratch besides a and v.
__host__ __device__ inline int64_t rotationNumbers(int64_t n) { return n + 1; }

// Pair number `pair` of a round, by the circle method; `players` is even.
struct Pair {
  int64_t p, q;

  __device__ Pair(int64_t pair, int64_t round, int64_t players) {
    const int64_t circle = players - 1;
    const int64_t one = pair == 0 ? circle : (round + pair) % circle;
    const int64_t other = (round + circle - pair) % circle;
    p = one < other ? one : other;
    q = one < other ? other : one;
  }
};

// Σ of squares of the matrix, or of what is off its diagonal.
__device__ inline double sumOfSquares(const double* a, int64_t n, bool offDiagonal) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < n * n; i += kThreads)
    if (!offDiagonal || i % (n + 1) != 0) sum += a[i] * a[i];
  return blockSum(sum);
}

// The rotation that makes a[p, q] zero, or none where that is negligible.
__device__ inline void rotation(const double* a, int64_t n, const Pair& pair, double negligible,
                                double* cs) {
  double c = 1, s = 0;
  const double off = pair.q < n ? a[pair.p * n + pair.q] : 0;
  if (fabs(off) > negligible) {
    const double theta = (a[pair.q * n + pair.q] - a[pair.p * n + pair.p]) / (2 * off);
    const double t = copysign(1 / (fabs(theta) + hypot(theta, 1.0)), theta);
    c = 1 / sqrt(1 + t * t);
    s = t * c;
  }
  cs[0] = c;
  cs[1] = s;
}

__device__ inline void rotate(double* x, double* y, const double* cs) {
  const double a = *x, b = *y;
  *x = cs[0] * a - cs[1] * b;
  *y = cs[1] * a + cs[0] * b;
}

// a: symmetric, destroyed; its diagonal is left holding the eigenvalues, unsorted. The rows of v
// are turned as those of a. False when it does not converge.
__device__ inline bool diagonalise(double* a, int64_t n, double* v, double* rotations) {
  const double norm = sqrt(sumOfSquares(a, n, false)), most = kOffDiagonal * norm;
  const double negligible = most / static_cast<double>(n);  // all of them together are below most
  const int64_t players = n + n % 2, pairs = players / 2;
  for (int sweep = 0; sweep < kMostSweeps; ++sweep) {
    if (sqrt(sumOfSquares(a, n, true)) <= most) return true;
    for (int64_t round = 0; round + 1 < players; ++round) {
      for (int64_t i = threadIdx.x; i < pairs; i += kThreads)
        rotation(a, n, Pair(i, round, players), negligible, rotations + 2 * i);
      __syncthreads();
      for (int64_t at = threadIdx.x; at < pairs * n; at += kThreads) {
        const double* const cs = rotations + 2 * (at / n);
        if (cs[1] == 0) continue;
        const Pair pair(at / n, round, players);
        const int64_t x = pair.p * n + at % n, y = pair.q * n + at % n;
        rotate(a + x, a + y, cs);
        rotate(v + x, v + y, cs);
      }
      __syncthreads();
      for (int64_t at = threadIdx.x; at < pairs * n; at += kThreads) {
        const double* const cs = rotations + 2 * (at % pairs);
        if (cs[1] == 0) continue;
        const Pair pair(at % pairs, round, players);
        double* const row = a + at / pairs * n;
        rotate(row + pair.p, row + pair.q, cs);
      }
      __syncthreads();
    }
  }
  return sqrt(sumOfSquares(a, n, true)) <= kSettled * norm;
}

// The same from v = I: row i of v is the unit vector of value i.
__device__ inline bool blockEigh(double* a, int64_t n, double* v, double* rotations) {
  setIdentity(v, n);
  return diagonalise(a, n, v, rotations);
}

// How many eigenvalues stand before value i in ascending order, equal ones in their own.
__device__ inline int64_t rankOf(const double* a, int64_t n, int64_t i) {
  int64_t rank = 0;
  const double value = a[i * n + i];
  for (int64_t j = 0; j < n; ++j) {
    const double other = a[j * n + j];
    if (other < value || (other == value && j < i)) ++rank;
  }
  return rank;
}

}  // namespace cuda
}  // namespace flatmin
