// A tensor seen through strides: element (i0, i1, ...) of a view is element offset + sum of i *
// stride of the tensor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "host_device.h"

namespace flatmin {
namespace formulas {

struct View {
  static constexpr int kMostDims = 8;
  struct Dim {
    int64_t size, stride;
  };
  int count = 0;
  Dim dims[kMostDims];  // innermost first; those of one element left out, neighbours merged
  int64_t offset;

  View(const std::vector<int64_t>& shape, const std::vector<double>& strides, int64_t offset)
      : offset(offset) {
    for (size_t d = shape.size(); d-- > 0;) {
      const int64_t stride = static_cast<int64_t>(strides[d]);
      if (shape[d] == 1) continue;
      Dim* const inner = count == 0 ? nullptr : &dims[count - 1];
      if (inner && stride == inner->size * inner->stride)
        inner->size *= shape[d];
      else
        dims[count++] = {shape[d], stride};
    }
    if (count == 0) dims[count++] = {1, 1};
  }

  // Where element `index` of the view, counted in the order of its dimensions from `first` on,
  // stands.
  FLATMIN_FORMULA int64_t at(int64_t index, int first = 0) const {
    int64_t position = offset;
    for (int d = first; d < count; ++d) {
      const int64_t rest = index / dims[d].size;
      position += (index - rest * dims[d].size) * dims[d].stride;
      index = rest;
    }
    return position;
  }
};

// f of the unsigned integer that stands for elements of so many bytes.
template <class F>
auto withUnit(int64_t bytes, F f) {
  switch (bytes) {
    case 1:
      return f(uint8_t{});
    case 2:
      return f(uint16_t{});
    default:
      return f(uint32_t{});
  }
}

// An element's bits in the lowest of the word's.
inline uint32_t bitsOf(bool isFloat, double value) {
  if (!isFloat) return static_cast<uint32_t>(static_cast<int64_t>(value));
  const float narrow = static_cast<float>(value);
  uint32_t bits;
  std::memcpy(&bits, &narrow, sizeof bits);
  return bits;
}

}  // namespace formulas
}  // namespace flatmin
