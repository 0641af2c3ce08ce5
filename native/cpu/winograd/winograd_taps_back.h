// The weight's gradient of winograd.h from the sums of transformed tiles.
#pragma once

#include <algorithm>

#include "cpu/winograd/winograd.h"

namespace flatmin {
namespace FLATMIN_ISA {

// Gᵀ e
static inline void transformFourBack(const vf (&e)[4], vf (&to)[3]) {
  const vf half = 0.5f * (e[1] + e[2]);
  to[0] = e[0] + half;
  to[1] = 0.5f * (e[1] - e[2]);
  to[2] = half + e[3];
}

// Gᵀ e G of up to kLanes transformed tap matrices side by side, their elements `stride` floats
// apart: tap matrices one after the other.
static inline void transformTapsBack(const float* e, int64_t count, int64_t stride, float* to) {
  vf columns[4][3], four[4], three[3];
  for (int s = 0; s < 4; ++s) {
    for (int r = 0; r < 4; ++r) {
      const float* const at = e + (4 * r + s) * stride;
      four[r] = count == kLanes ? load(at) : loadTail(at, count);
    }
    transformFourBack(four, columns[s]);
  }
  float taps[9][kLanes];
  for (int i = 0; i < 3; ++i) {
    for (int s = 0; s < 4; ++s) four[s] = columns[s][i];
    transformFourBack(four, three);
    for (int j = 0; j < 3; ++j) store(taps[3 * i + j], three[j]);
  }
  for (int64_t l = 0; l < count; ++l)
    for (int i = 0; i < 9; ++i) to[9 * l + i] = taps[i][l];
}

// dw [out, in, 3, 3] from an out × in matrix for every element.
static inline void transformWeightBack(const WinogradConvolution& conv, const float* sums,
                                       float* dw, ThreadPool& pool) {
  pool.parallel(conv.out, [&](int64_t o, int) {
    for (int64_t c = 0; c < conv.in; c += kLanes)
      transformTapsBack(sums + o * conv.in + c, std::min<int64_t>(kLanes, conv.in - c),
                        conv.out * conv.in, dw + (o * conv.in + c) * 9);
  });
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
