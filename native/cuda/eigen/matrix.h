// Square matrices in device memory, each worked on by one block: row-major, n × n. All threads of
// the block take part in every function and get its result; each ends with a barrier.
#pragma once

#include <cmath>

#include "cuda/base/block.h"
#include "formulas/packed.h"

namespace flatmin {
namespace cuda {

using formulas::packedSize;

// The symmetric matrix whose lower triangle is correction · that of data, rounded to float32; data
// is the whole matrix, or packed.
struct Symmetric {
  const float* data;
  int64_t n;
  double correction;
  bool packed;

  __device__ double at(int64_t r, int64_t c) const {
    const int64_t row = r < c ? c : r, column = r < c ? r : c;
    const float x = data[(packed ? packedSize(row) : row * n) + column];
    return correction == 1 ? x : static_cast<float>(x * correction);
  }
};

__device__ inline bool isFinite(double x) { return x * 0 == 0; }

// Largest of the threads' values; a NaN counts as infinite.
__device__ inline double blockMax(double x) {
  SHARED(double, parts, [kThreads / kLanes]);
  if (x != x) x = INFINITY;
  for (int d = kLanes / 2; d > 0; d /= 2) x = fmax(x, __shfl_xor_sync(kAllLanes, x, d));
  if (laneId() == 0) parts[threadIdx.x / kLanes] = x;
  __syncthreads();
  double largest = parts[0];
  for (int w = 1; w < kThreads / kLanes; ++w) largest = fmax(largest, parts[w]);
  __syncthreads();  // before the next use of the parts
  return largest;
}

__device__ inline bool lowerIsFinite(const Symmetric& a) {
  double bad = 0;
  for (int64_t i = threadIdx.x; i < a.n * a.n; i += kThreads)
    if (!isFinite(a.at(i / a.n, i % a.n))) bad = 1;
  return blockMax(bad) == 0;
}

// m ← scale · (A + shift I)
template <class T>
__device__ void fillSymmetric(const Symmetric& a, double scale, double shift, T* m) {
  for (int64_t i = threadIdx.x; i < a.n * a.n; i += kThreads) {
    const int64_t r = i / a.n, c = i % a.n;
    m[i] = static_cast<T>(scale * (a.at(r, c) + (r == c ? shift : 0.0)));
  }
  __syncthreads();
}

template <class From, class To>
__device__ void copyMatrix(const From* from, int64_t n, To* to) {
  for (int64_t i = threadIdx.x; i < n * n; i += kThreads) to[i] = static_cast<To>(from[i]);
  __syncthreads();
}

__device__ inline void setIdentity(double* m, int64_t n) {
  for (int64_t i = threadIdx.x; i < n * n; i += kThreads) m[i] = i % (n + 1) == 0 ? 1.0 : 0.0;
  __syncthreads();
}

__device__ inline void transpose(const double* from, int64_t n, double* to) {
  for (int64_t i = threadIdx.x; i < n * n; i += kThreads) to[i % n * n + i / n] = from[i];
  __syncthreads();
}

enum Half { kWhole, kHalf };

// C ← A B, or Aᵀ B, over tiles in shared memory, an element to a thread. Of a product that is known
// to be symmetric the lower half is computed and mirrored.
template <class T>
__device__ void multiply(const T* a, bool transposed, const T* b, int64_t n, Half half, T* c) {
  constexpr int kSide = 16;
  static_assert(kSide * kSide == kThreads, "an element to each thread");
  SHARED(T, as, [kSide][kSide + 1]);
  SHARED(T, bs, [kSide][kSide + 1]);
  const int row = static_cast<int>(threadIdx.x) / kSide;
  const int column = static_cast<int>(threadIdx.x) % kSide;
  for (int64_t top = 0; top < n; top += kSide)
    for (int64_t left = 0; left < (half == kHalf ? top + 1 : n); left += kSide) {
      const int64_t i = top + row, j = left + column;
      T sum = 0;
      for (int64_t k = 0; k < n; k += kSide) {
        const int64_t ka = k + column, kb = k + row;
        as[row][column] = i < n && ka < n ? a[transposed ? ka * n + i : i * n + ka] : T(0);
        bs[row][column] = kb < n && j < n ? b[kb * n + j] : T(0);
        __syncthreads();
        for (int d = 0; d < kSide; ++d) sum += as[row][d] * bs[d][column];
        __syncthreads();
      }
      if (i >= n || j >= n || (half == kHalf && i < j)) continue;
      c[i * n + j] = sum;
      if (half == kHalf) c[j * n + i] = sum;
    }
  __syncthreads();
}

// x^p for symmetric x and an integer p ≥ 1. Returns x itself or one of the two buffers.
template <class T>
__device__ const T* symmetricPower(const T* x, int64_t p, int64_t n, T* result, T* spare) {
  int64_t bit = 1;
  while (bit <= p / 2) bit *= 2;
  const T* power = x;
  for (bit /= 2; bit > 0; bit /= 2)
    for (int turn = 0; turn < (p & bit ? 2 : 1); ++turn) {
      multiply(power, false, turn == 0 ? power : x, n, kHalf, spare);
      power = spare;
      spare = result;
      result = const_cast<T*>(power);
    }
  return power;
}

// max|m − I|, infinite when an entry is not a number.
template <class T>
__device__ double distanceFromIdentity(const T* m, int64_t n) {
  double largest = 0;
  for (int64_t i = threadIdx.x; i < n * n; i += kThreads) {
    const double error = fabs(static_cast<double>(m[i]) - (i % (n + 1) == 0 ? 1.0 : 0.0));
    if (!(error <= largest)) largest = error == error ? error : INFINITY;
  }
  return blockMax(largest);
}

}  // namespace cuda
}  // namespace flatmin
