// The transformed weight of winograd.h.
#pragma once

#include <algorithm>

#include "cpu/gemm/gemm.h"
#include "cpu/winograd/winograd.h"

namespace flatmin {
namespace FLATMIN_ISA {

static inline void transformThree(vf (&g)[4]) {
  const vf ends = g[0] + g[2];
  g[3] = g[2];
  g[2] = 0.5f * (ends - g[1]);
  g[1] = 0.5f * (ends + g[1]);
}

// G w Gᵀ of tap matrices in lanes.
static inline void transformTapsInLanes(const float (&taps)[9][kLanes], vf (&to)[kElements]) {
  vf g[4], columns[3][4];
  for (int j = 0; j < 3; ++j) {
    for (int i = 0; i < 3; ++i) columns[j][i] = load(taps[3 * i + j]);
    transformThree(columns[j]);
  }
  for (int r = 0; r < 4; ++r) {
    for (int j = 0; j < 3; ++j) g[j] = columns[j][r];
    transformThree(g);
    for (int s = 0; s < 4; ++s) to[4 * r + s] = g[s];
  }
}

// Of up to kLanes tap matrices that follow one another, as elements `stride` floats apart.
static inline void transformTaps(const float* w, int64_t count, bool flipped, float* to,
                                 int64_t stride) {
  float taps[9][kLanes] = {};
  for (int64_t l = 0; l < count; ++l)
    for (int i = 0; i < 9; ++i) taps[flipped ? 8 - i : i][l] = w[9 * l + i];
  vf transformed[kElements];
  transformTapsInLanes(taps, transformed);
  for (int e = 0; e < kElements; ++e, to += stride) {
    if (count == kLanes) {
      store(to, transformed[e]);
    } else {
      storeTail(to, transformed[e], count);
    }
  }
}

// The transformed weight: an out × in matrix for every element of a tile, in the order in which the
// weight's tap matrices follow one another.
struct TransformedWeight {
  const WinogradConvolution& conv;
  float* data;

  bool outsFollow() const { return conv.outStride == 9; }
  Matrix of(int e) const {
    float* const own = data + e * conv.out * conv.in;
    return outsFollow() ? Matrix{own, 1, conv.out} : Matrix{own, conv.in, 1};
  }
  void fill(const float* weight, ThreadPool& pool) const {
    const int64_t rows = outsFollow() ? conv.in : conv.out;
    const int64_t width = outsFollow() ? conv.out : conv.in;
    const int64_t stride = outsFollow() ? conv.inStride : conv.outStride;
    pool.parallel(rows, [&](int64_t row, int) {
      for (int64_t i = 0; i < width; i += kLanes)
        transformTaps(weight + row * stride + 9 * i, std::min<int64_t>(kLanes, width - i),
                      conv.flipped, data + row * width + i, conv.out * conv.in);
    });
  }
};

}  // namespace FLATMIN_ISA
}  // namespace flatmin
