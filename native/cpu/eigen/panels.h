// Square matrices in column panels: kPanel columns wide, padded with zeros to a multiple of kPanel,
// each panel row-major and contiguous. Element (r, c) is panel(c / kPanel)[r * kPanel + c %
// kPanel], so a kPanel x kPanel tile is contiguous too. The one product is C = A^T B, tile by tile
// in registers; for symmetric A it is A B.
#pragma once

#include <algorithm>
#include <atomic>
#include <cfloat>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "cpu/base/lower.h"
#include "cpu/base/transpose.h"
#include "program/thread_pool.h"

namespace flatmin {
namespace FLATMIN_ISA {

template <class T>
struct LanesOf;
template <>
struct LanesOf<float> {
  using V = vf;
  static constexpr int count = kLanes;
};
template <>
struct LanesOf<double> {
  using V = vd;
  static constexpr int count = kLanesF64;
};

template <class T>
inline constexpr int kPanel = 2 * LanesOf<T>::count;

template <class T>
inline int64_t paddedSize(int64_t n) {
  return (n + kPanel<T> - 1) / kPanel<T> * kPanel<T>;
}

template <class T>
inline T& at(T* m, int64_t size, int64_t r, int64_t c) {
  constexpr int W = 2 * LanesOf<std::remove_const_t<T>>::count;
  return m[c / W * (size * W) + r * W + c % W];
}

// Tile (i, j) in units of kPanel; panel j starts at tile (0, j).
template <class T>
inline T* tile(T* m, int64_t size, int64_t i, int64_t j) {
  constexpr int W = 2 * LanesOf<std::remove_const_t<T>>::count;
  return m + (j * size + i * W) * W;
}

// c = sum over rows k in [k0, k1) of a[k]^T b[k]: a, b panels, c a tile that overlaps neither.
template <class T>
inline void multiplyTile(const T* a, const T* b, int64_t k0, int64_t k1, T* c) {
  using V = typename LanesOf<T>::V;
  constexpr int W = kPanel<T>, L = LanesOf<T>::count;
  constexpr int kRows = kLanes == 16 ? 8 : 4;  // 2 * kRows accumulators fill half the registers
  for (int i0 = 0; i0 < W; i0 += kRows) {
    V acc[kRows][2] = {};
    for (int64_t k = k0; k < k1; ++k) {
      const V b0 = load(b + k * W), b1 = load(b + k * W + L);
      const T* column = a + k * W + i0;
      for (int i = 0; i < kRows; ++i) {
        acc[i][0] += column[i] * b0;
        acc[i][1] += column[i] * b1;
      }
    }
    for (int i = 0; i < kRows; ++i) {
      store(c + (i0 + i) * W, acc[i][0]);
      store(c + (i0 + i) * W + L, acc[i][1]);
    }
  }
}

// c[i] = sum over k of a(k, i) b[k], or c[i] less that, for kRows rows, where a(k, i) is a[k *
// kStride + i * iStride] and b panel rows. Of c rows of a panel's width begin cStride apart.
template <int kRows, bool kSubtract = false>
inline void multiplyRows(const double* a, int64_t kStride, int64_t iStride, const double* b,
                         int64_t count, double* c, int64_t cStride) {
  constexpr int W = kPanel<double>, L = kLanesF64;
  constexpr int kAtOnce = kLanes == 16 ? 8 : 4;
  for (int i0 = 0; i0 < kRows; i0 += kAtOnce, a += kAtOnce * iStride, c += kAtOnce * cStride) {
    vd sum[kAtOnce][2] = {};
    for (int64_t k = 0; k < count; ++k) {
      const vd b0 = load(b + k * W), b1 = load(b + k * W + L);
      for (int i = 0; i < kAtOnce; ++i) {
        const double x = a[k * kStride + i * iStride];
        sum[i][0] += x * b0;
        sum[i][1] += x * b1;
      }
    }
    for (int i = 0; i < kAtOnce; ++i) {
      double* row = c + i * cStride;
      store(row, kSubtract ? load(row) - sum[i][0] : sum[i][0]);
      store(row + L, kSubtract ? load(row + L) - sum[i][1] : sum[i][1]);
    }
  }
}

template <class T>
inline void transposeTile(const T* from, T* to) {
  constexpr int W = kPanel<T>, L = LanesOf<T>::count;
  for (int r = 0; r < W; r += L) {
    for (int c = 0; c < W; c += L) {
      typename LanesOf<T>::V square[L];
      FLATMIN_UNROLL
      for (int i = 0; i < L; ++i) square[i] = load(from + (r + i) * W + c);
      transpose(square);
      FLATMIN_UNROLL
      for (int i = 0; i < L; ++i) store(to + (c + i) * W + r, square[i]);
    }
  }
}

// c = a^T b over k rows, where the product is known to be symmetric: one half computed, then
// mirrored.
template <class T>
inline void symmetricProduct(const T* a, const T* b, int64_t size, int64_t k, T* c,
                             ThreadPool& pool) {
  const int64_t tiles = size / kPanel<T>;
  pool.parallel(tiles, [=](int64_t j, int) {
    for (int64_t i = j; i < tiles; ++i) {
      T* lower = tile(c, size, i, j);
      multiplyTile(tile(a, size, 0, i), tile(b, size, 0, j), 0, k, lower);
      if (i != j) {
        transposeTile(lower, tile(c, size, j, i));
        continue;
      }
      for (int r = 0; r < kPanel<T>; ++r)
        for (int s = 0; s < r; ++s) lower[s * kPanel<T> + r] = lower[r * kPanel<T> + s];
    }
  });
}

// x^p for symmetric x and integer p >= 1. Returns x itself or one of the two buffers.
template <class T>
inline const T* symmetricPower(const T* x, int64_t p, int64_t size, int64_t k, T* result, T* spare,
                               ThreadPool& pool) {
  int64_t bit = 1;
  while (bit <= p / 2) bit *= 2;
  const T* power = x;
  const auto multiply = [&](const T* by) {
    symmetricProduct(power, by, size, k, spare, pool);
    power = spare;
    spare = result;
    result = const_cast<T*>(power);
  };
  for (bit /= 2; bit > 0; bit /= 2) {
    multiply(power);
    if (p & bit) multiply(x);
  }
  return power;
}

// Panel j of scale * (A + shift I).
template <class T>
inline void fillPanel(Lower a, double scale, double shift, int64_t j, T* m) {
  constexpr int64_t W = kPanel<T>;
  const int64_t n = a.n, size = paddedSize<T>(n);
  const int64_t columns = std::min(W, n - j * W);
  T* to = tile(m, size, 0, j);
  std::memset(to, 0, sizeof(T) * static_cast<size_t>(size * W));
  for (int64_t c = 0; c < columns; ++c) {  // above the diagonal: rows of a
    const float* row = a.row(j * W + c);
    for (int64_t r = 0; r < j * W + c; ++r) to[r * W + c] = static_cast<T>(scale * row[r]);
    to[(j * W + c) * W + c] = static_cast<T>(scale * (row[j * W + c] + shift));
  }
  for (int64_t r = j * W + 1; r < n; ++r) {
    const float* row = a.row(r) + j * W;
    for (int64_t c = 0; c < std::min(columns, r - j * W); ++c)
      to[r * W + c] = static_cast<T>(scale * row[c]);
  }
}

template <class T>
inline void fillSymmetric(Lower a, double scale, double shift, T* m, ThreadPool& pool) {
  pool.parallel(paddedSize<T>(a.n) / kPanel<T>,
                [=](int64_t j, int) { fillPanel(a, scale, shift, j, m); });
}

// The largest |a_ij|; infinite where one is not finite.
inline float largestOf(Lower a) {
  constexpr int32_t kInfinite = 0x7f800000;
  int32_t largest = 0;  // the bits of floats without sign are in their order, those of NaN last
  for (int64_t r = 0; r < a.n; ++r) {
    const float* row = a.row(r);
    for (int64_t c = 0; c <= r; ++c) {
      int32_t bits;
      std::memcpy(&bits, row + c, sizeof bits);
      largest = std::max(largest, bits & 0x7fffffff);
    }
  }
  largest = std::min(largest, kInfinite);
  float x;
  std::memcpy(&x, &largest, sizeof x);
  return x;
}

inline bool isFinite(Lower a) { return std::isfinite(largestOf(a)); }

// Writes the n x n result as float32, row-major; false, and nothing written, where an entry does
// not fit.
template <class T>
inline bool writeRows(const T* m, int64_t n, float* out, ThreadPool& pool) {
  constexpr int64_t W = kPanel<T>;
  const int64_t size = paddedSize<T>(n);
  std::atomic<bool> fits{true};
  pool.parallel(size / W, [&](int64_t j, int) {
    const T* panel = tile(m, size, 0, j);
    using V = typename LanesOf<T>::V;
    auto bad = V{} != V{};
    for (int64_t i = 0; i < size * W; i += LanesOf<T>::count) {
      const V x = load(panel + i);
      bad |= ~((x >= -FLT_MAX) & (x <= FLT_MAX));
    }
    for (int lane = 0; lane < LanesOf<T>::count; ++lane)
      if (bad[lane] != 0) fits = false;
  });
  if (!fits) return false;
  pool.parallel(size / W, [=](int64_t j, int) {
    const T* panel = tile(m, size, 0, j);
    const int64_t columns = std::min(W, n - j * W);
    const auto write = [=](auto width) {
      for (int64_t r = 0; r < n; ++r)
        for (int64_t c = 0; c < width; ++c)
          out[r * n + j * W + c] = static_cast<float>(panel[r * W + c]);
    };
    columns == W ? write(std::integral_constant<int64_t, W>()) : write(columns);
  });
  return true;
}

// Cuts 64-byte aligned arrays from the caller's scratch; bytes() of a dry run (base null) is what
// it needs.
class Scratch {
 public:
  explicit Scratch(void* base) : start_(reinterpret_cast<uintptr_t>(base)), next_(start_) {}

  template <class T>
  T* take(int64_t count) {
    const uintptr_t begin = (next_ + 63) / 64 * 64;
    next_ = begin + static_cast<uintptr_t>(count) * sizeof(T);
    return reinterpret_cast<T*>(begin);
  }
  size_t bytes() const { return static_cast<size_t>(next_ - start_) + 64; }

 private:
  uintptr_t start_, next_;
};

}  // namespace FLATMIN_ISA
}  // namespace flatmin
