// y = f(x…) over every element: chunks of vectors, the tail with the arithmetic of the body.
// An output may be the memory of an input.
#pragma once

#include "cpu/base/chunks.h"

namespace flatmin {
namespace FLATMIN_ISA {

template <class F>
static inline void mapRange(float* y, const float* x, int64_t size, F f) {
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) store(y + i, f(load(x + i)));
  if (i < size) storeTail(y + i, f(loadTail(x + i, size - i)), size - i);
}

template <class F>
static inline void mapRange(float* y, const float* a, const float* b, int64_t size, F f) {
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) store(y + i, f(load(a + i), load(b + i)));
  if (i < size) storeTail(y + i, f(loadTail(a + i, size - i), loadTail(b + i, size - i)), size - i);
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
