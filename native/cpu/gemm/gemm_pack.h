// Operands of a matrix product's tiles, copied to where the microkernel reads them in a row.
#pragma once

#include <algorithm>

#include "cpu/gemm/gemm.h"
#include "cpu/gemm/gemm_microkernel.h"

namespace flatmin {
namespace FLATMIN_ISA {

// A tile's columns: vectors that follow one another from column j on, but for the last, at j +
// last: it ends with the last of all n columns and so may overlap its neighbour. If n is less than
// a vector it reaches beyond.
struct ColumnTile {
  int64_t j, vectors, last;
  ColumnTile(int64_t first, int64_t vectors, int64_t n)
      : j(first * kLanes),
        vectors(vectors),
        last(std::min((vectors - 1) * kLanes, std::max<int64_t>(n - kLanes, 0) - j)) {}
};

// One vector of columns of B, each contiguous in memory, as rows to[p * stride].
static inline void packTransposed(int64_t k, Matrix b, int64_t columns, float* to, int64_t stride) {
  for (int64_t p = 0; p < k; p += kLanes, to += kLanes * stride) {
    const int64_t depth = std::min<int64_t>(kLanes, k - p);
    vf block[kLanes];
    FLATMIN_UNROLL
    for (int64_t j = 0; j < kLanes; ++j) {
      const float* const from = b.at(p, j);
      block[j] = j >= columns ? vf{} : depth == kLanes ? load(from) : loadTail(from, depth);
    }
    transpose(block);
    FLATMIN_UNROLL
    for (int64_t i = 0; i < kLanes; ++i)
      if (i < depth) store(to + i * stride, block[i]);
  }
}

// A tile's columns of B, row after row; zeros beyond if all columns are less than a vector.
static inline void packB(int64_t k, Matrix b, ColumnTile tile, int64_t columns, float* to) {
  const int64_t width = tile.vectors * kLanes;
  if (b.colStride == 1) {
    const Lanes lanes(0, std::min<int64_t>(columns, kLanes));
    for (int64_t p = 0; p < k; ++p, to += width) {
      const float* from = b.at(p, tile.j);
      for (int64_t v = 0; v < tile.vectors - 1; ++v) {
        __builtin_prefetch(from + 8 * b.rowStride + v * kLanes);
        store(to + v * kLanes, load(from + v * kLanes));
      }
      __builtin_prefetch(from + 8 * b.rowStride + tile.last);
      store(to + width - kLanes, lanes.load(from + tile.last));
    }
    return;
  }
  for (int64_t v = 0; v < tile.vectors; ++v, to += kLanes) {
    const Matrix from = b.from(0, tile.j + (v == tile.vectors - 1 ? tile.last : v * kLanes));
    if (b.rowStride == 1) {
      packTransposed(k, from, columns, to, width);
    } else {
      for (int64_t p = 0; p < k; ++p)
        for (int64_t j = 0; j < kLanes; ++j) to[p * width + j] = j < columns ? *from.at(p, j) : 0;
    }
  }
}

// A tile's rows of A side by side: A(i, p) at to[p * rows + i].
static inline void packA(int64_t k, Matrix a, int64_t rows, float* to) {
  for (int64_t p = 0; p < k; ++p)
    for (int64_t i = 0; i < rows; ++i) to[p * rows + i] = *a.at(i, p);
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
