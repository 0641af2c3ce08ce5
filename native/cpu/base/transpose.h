// As many vectors as they have lanes as a square matrix, transposed in registers.
#pragma once

#include <utility>

#include "cpu/base/simd.h"
#include "formulas/host_device.h"

#define FLATMIN_INLINE inline __attribute__((always_inline))

namespace flatmin {
namespace FLATMIN_ISA {

// Lane i of the result is lane l[i] of x.
template <size_t... l>
FLATMIN_INLINE vf permute(vf x) {
#if defined(__clang__)
  return __builtin_shufflevector(x, x, l...);
#else
  return __builtin_shuffle(x, vi{l...});
#endif
}

// Exchanges the off-diagonal blocks of size S of the N lanes of x and y.
template <int S, int N, class V, size_t... l>
FLATMIN_INLINE void exchange(V& x, V& y, std::index_sequence<l...>) {
#if defined(__clang__)
  V lower = __builtin_shufflevector(x, y, (l & S ? N + l - S : l)...);
  y = __builtin_shufflevector(x, y, (l & S ? N + l : l + S)...);
#else
  using Indices = decltype(x == x);  // integers as wide as the lanes
  V lower = __builtin_shuffle(x, y, Indices{(l & S ? N + l - S : l)...});
  y = __builtin_shuffle(x, y, Indices{(l & S ? N + l : l + S)...});
#endif
  x = lower;
}

// rows[i] lane j becomes rows[j] lane i.
template <int S = 1, class V, int N>
FLATMIN_INLINE void transpose(V (&rows)[N]) {
  FLATMIN_UNROLL
  for (int i = 0; i < N; ++i)
    if (!(i & S)) exchange<S, N>(rows[i], rows[i + S], std::make_index_sequence<N>{});
  if constexpr (2 * S < N) transpose<2 * S>(rows);
}

// Lane i of the result is the sum of the lanes of rows[i].
template <int S = 1>
FLATMIN_INLINE vf sumRows(vf (&rows)[kLanes]) {
  FLATMIN_UNROLL
  for (int i = 0; i < kLanes; i += 2 * S) {
    exchange<S, kLanes>(rows[i], rows[i + S], std::make_index_sequence<kLanes>{});
    rows[i] += rows[i + S];
  }
  if constexpr (2 * S < kLanes) return sumRows<2 * S>(rows);
  return rows[0];
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
