// What the chunks of a list of tensors give, brought together for each tensor or for all, in a tree
// of fixed shape. T is trivial, with `static T none()` and `void meet(const T&)`.
#pragma once

#include "cuda/base/chunks.h"

namespace flatmin {
namespace cuda {

// Of a block of kThreads; all threads take part and get the result.
template <class T>
__device__ T blockTotal(const T& x) {
  SHARED(T, parts, [kThreads]);
  parts[threadIdx.x] = x;
  __syncthreads();
  for (unsigned half = kThreads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) parts[threadIdx.x].meet(parts[threadIdx.x + half]);
    __syncthreads();
  }
  const T total = parts[0];
  __syncthreads();  // before the next use of the parts
  return total;
}

struct Total {
  double sum;

  __device__ static Total none() { return {0}; }
  __device__ void meet(const Total& other) { sum += other.sum; }
};

// The greatest size and where it was first, or the first NaN; where = −1 of nothing.
struct Largest {
  double size;
  int64_t where;

  __device__ static Largest none() { return {0, -1}; }
  __device__ void meet(const Largest& other) {
    if (other.where < 0) return;
    if (where < 0 || loses(other)) *this = other;
  }
  __device__ bool loses(const Largest& other) const {
    const bool nan = size != size, otherNan = other.size != other.size;
    if (nan != otherNan) return otherNan;
    if (!nan && size != other.size) return other.size > size;
    return other.where < where;
  }
};

// A place that grows along a list: of an element of chunk number c.
__device__ inline int64_t placeOf(int64_t c, int64_t offset) { return c * kChunk + offset; }

// The chunks of a tensor.
struct Span {
  int64_t begin, end;
};

// Of groups of `width` operands, or of all as one.
inline std::vector<Span> spansOf(const std::vector<Operand>& operands, size_t width, bool joint) {
  std::vector<Span> spans;
  int64_t begin = 0;
  for (size_t i = 0; i < operands.size(); i += width) {
    const int64_t end = begin + (operands[i].size() + kChunk - 1) / kChunk;
    spans.push_back({begin, end});
    begin = end;
  }
  return joint ? std::vector<Span>{{0, begin}} : spans;
}

template <class T>
__global__ void bringTogether(const Span* spans, int64_t count, const T* of, T* totals) {
  for (int64_t s = blockIdx.x; s < count; s += gridDim.x) {
    T mine = T::none();
    for (int64_t c = spans[s].begin + threadIdx.x; c < spans[s].end; c += kThreads)
      mine.meet(of[c]);
    const T total = blockTotal(mine);
    if (threadIdx.x == 0) totals[s] = total;
  }
}

inline unsigned spanBlocks(const Constant<Span>& spans) {
  return static_cast<unsigned>(std::min(spans.size(), kMostBlocks));
}

template <class T>
void addUp(const Constant<Span>& spans, const T* of, T* totals, const Step& step) {
  LAUNCH(bringTogether<T>, spanBlocks(spans), kThreads, 0, step.stream, spans.data(), spans.size(),
         of, totals);
}

}  // namespace cuda
}  // namespace flatmin
