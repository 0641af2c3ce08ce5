// Small images of a batch side by side in the lanes of vectors: a pixel of kLanes images is one
// vector, so that work on images needs neither shuffles nor tails.
#pragma once

#include "cpu/base/transpose.h"
#include "cpu/conv/conv2d.h"

namespace flatmin {
namespace FLATMIN_ISA {

inline constexpr int64_t kAhead = 4 * kLanes;  // pixels fetched ahead: there are many streams

// `count` images (the lanes beyond are zero), `imageStride` floats apart: `rows` rows of `width`
// pixels to rows of vectors, `pitch` vectors apart.
static inline void toLanes(const float* images, int64_t imageStride, int64_t count, int64_t rows,
                           int64_t width, float* to, int64_t pitch) {
  const int64_t size = rows * width;
  int64_t x = 0;
  for (int64_t e = 0; e < size; e += kLanes) {
    const int64_t pixels = std::min<int64_t>(kLanes, size - e);
    vf block[kLanes];
    for (int64_t i = 0; i < kLanes; ++i) {
      const float* const from = images + i * imageStride + e;
      __builtin_prefetch(from + kAhead);
      block[i] = i >= count ? vf{} : pixels == kLanes ? load(from) : loadTail(from, pixels);
    }
    transpose(block);
    for (int64_t i = 0; i < pixels; ++i) {
      store(to + x * kLanes, block[i]);
      if (++x == width) x = 0, to += pitch * kLanes;
    }
  }
}

// And back.
static inline void fromLanes(const float* from, int64_t pitch, int64_t rows, int64_t width,
                             float* images, int64_t imageStride, int64_t count) {
  const int64_t size = rows * width;
  int64_t x = 0;
  for (int64_t e = 0; e < size; e += kLanes) {
    const int64_t pixels = std::min<int64_t>(kLanes, size - e);
    vf block[kLanes];
    for (int64_t i = 0; i < kLanes; ++i) {
      block[i] = i < pixels ? load(from + x * kLanes) : vf{};
      if (i < pixels && ++x == width) x = 0, from += pitch * kLanes;
    }
    transpose(block);
    for (int64_t i = 0; i < count; ++i) {
      float* const to = images + i * imageStride + e;
      __builtin_prefetch(to + kAhead, 1);
      if (pixels == kLanes) {
        store(to, block[i]);
      } else {
        storeTail(to, block[i], pixels);
      }
    }
  }
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
