// Elementwise work in chunks whose bounds depend on the size alone.
#pragma once

#include <algorithm>

#include "cpu/base/simd.h"
#include "program/kernel.h"

namespace flatmin {
namespace FLATMIN_ISA {

inline constexpr int64_t kChunk = 1
                                  << 14;  // elements: 64 KiB of float32, a multiple of every vector

static inline int64_t chunkCount(int64_t size) { return (size + kChunk - 1) / kChunk; }

// body(begin, end, chunk) over [0, size).
template <class Body>
static inline void forChunks(ThreadPool& pool, int64_t size, Body body) {
  pool.parallel(chunkCount(size), [&](int64_t chunk, int) {
    const int64_t begin = chunk * kChunk;
    body(begin, std::min(size, begin + kChunk), chunk);
  });
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
