// y = f(x…) over every element, four at a time: a thread's last ones go through the same arithmetic
// alone. An output may be the memory of an input.
#pragma once

#include "cuda/base/launch.h"

namespace flatmin {
namespace cuda {

template <class F>
__global__ void mapOne(int64_t size, F f, float* y, const float* x) {
  for (int64_t i = 4 * globalThread(); i < size; i += 4 * globalThreads()) {
    if (i + 4 <= size) {
      const float4 v = load4(x + i);
      store4(y + i, {f(v.x), f(v.y), f(v.z), f(v.w)});
    } else {
      for (int64_t j = i; j < size; ++j) y[j] = f(x[j]);
    }
  }
}

template <class F>
__global__ void mapTwo(int64_t size, F f, float* y, const float* a, const float* b) {
  for (int64_t i = 4 * globalThread(); i < size; i += 4 * globalThreads()) {
    if (i + 4 <= size) {
      const float4 v = load4(a + i), w = load4(b + i);
      store4(y + i, {f(v.x, w.x), f(v.y, w.y), f(v.z, w.z), f(v.w, w.w)});
    } else {
      for (int64_t j = i; j < size; ++j) y[j] = f(a[j], b[j]);
    }
  }
}

// Blocks for `size` elements, four to a thread.
inline unsigned quadBlocks(int64_t size) { return blocksFor((size + 3) / 4); }

}  // namespace cuda
}  // namespace flatmin
