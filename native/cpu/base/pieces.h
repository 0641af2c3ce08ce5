// Rows of a few floats, as images and windows have them, moved and added in vectors that fit.
#pragma once

#include <cstring>
#include <type_traits>
#include <utility>

#include "cpu/base/simd.h"

namespace flatmin {
namespace FLATMIN_ISA {

// W floats or 32-bit integers, for rows too short for a whole vector.
template <int W>
struct Lane {
  typedef float F __attribute__((vector_size(W * sizeof(float))));
  typedef int32_t I __attribute__((vector_size(W * sizeof(int32_t))));

  static F load(const float* from) {
    F v;
    std::memcpy(&v, from, sizeof v);
    return v;
  }
  static I load(const int32_t* from) {
    I v;
    std::memcpy(&v, from, sizeof v);
    return v;
  }
};

// Lanes l... of a and b seen as one vector.
template <class V, int... l>
static inline V shuffle(V a, V b, std::integer_sequence<int, l...>) {
#if defined(__clang__)
  return __builtin_shufflevector(a, b, l...);
#else
  return __builtin_shuffle(a, b, typename Lane<sizeof...(l)>::I{l...});
#endif
}

// body(integral_constant W) with the widest W <= min(n, kLanes): rows of n are covered by pieces of
// W, of which the last ends with the row and so may overlap its neighbour.
template <int W = kLanes, class Body>
static inline void withWidth(int64_t n, Body body) {
  if constexpr (W > 1) {
    if (n < W) return withWidth<W / 2>(n, body);
  }
  if (n > 0) body(std::integral_constant<int, W>());
}

// piece(offset) for the pieces of a row of n.
template <int W, class Piece>
static inline void forPieces(int64_t n, Piece piece) {
  int64_t i = 0;
  for (; i + W <= n; i += W) piece(i);
  if (i < n) piece(n - W);
}

template <int W>
static inline void copyRow(float* to, const float* from, int64_t n) {
  forPieces<W>(n, [=](int64_t i) { std::memcpy(to + i, from + i, W * sizeof(float)); });
}

template <int W>
static inline void addRow(float* to, const float* from, int64_t n) {
  using L = Lane<W>;  // the last piece is read before its neighbour is written
  const auto last = L::load(to + n - W) + L::load(from + n - W);
  for (int64_t i = 0; i + W < n; i += W) {
    const auto sum = L::load(to + i) + L::load(from + i);
    std::memcpy(to + i, &sum, sizeof sum);
  }
  std::memcpy(to + n - W, &last, sizeof last);
}

// count rows of n, each so far from the next.
static inline void copyRows(float* to, int64_t toStride, const float* from, int64_t fromStride,
                            int64_t count, int64_t n) {
  withWidth(n, [=](auto width) {
    for (int64_t i = 0; i < count; ++i)
      copyRow<decltype(width)::value>(to + i * toStride, from + i * fromStride, n);
  });
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
