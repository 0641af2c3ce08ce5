// Operands of different shapes walked together as in NumPy: neighbouring dimensions that all
// operands walk alike are merged, so that most calls are a single row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "host_device.h"

namespace flatmin {
namespace formulas {

template <int N>
struct Broadcast {
  static constexpr int kMostDims = 8;
  struct Dim {
    int64_t size;
    int64_t strides[N];  // in elements, 0 where an operand is repeated
  };
  using Shape = std::vector<int64_t>;
  bool fits = true;  // within kMostDims
  int count = 0;
  Dim dims[kMostDims];  // innermost first

  Broadcast(const Shape* const (&operands)[N], const Shape& y) {
    int64_t strides[N];
    for (int64_t& stride : strides) stride = 1;
    for (size_t back = 1; back <= y.size(); ++back) {
      Dim dim{y[y.size() - back], {}};
      for (int n = 0; n < N; ++n) {
        const Shape& shape = *operands[n];
        const int64_t size = back <= shape.size() ? shape[shape.size() - back] : 1;
        dim.strides[n] = size == 1 ? 0 : strides[n];
        strides[n] *= size;
      }
      if (dim.size != 1) add(dim);
    }
    if (count > 0) return;
    Dim one{1, {}};
    for (int64_t& stride : one.strides) stride = 1;
    add(one);
  }

  bool isPlain() const {
    bool plain = count == 1;
    for (const int64_t stride : dims[0].strides) plain = plain && stride == 1;
    return plain;
  }

  // Where each operand stands at an index of the output, counted from dimension `first` on.
  FLATMIN_FORMULA void locate(int64_t index, int64_t (&at)[N], int first = 0) const {
    for (int64_t& position : at) position = 0;
    for (int d = first; d < count; ++d) {
      const int64_t rest = d + 1 == count ? 0 : index / dims[d].size;
      const int64_t step = index - rest * dims[d].size;
      for (int n = 0; n < N; ++n) at[n] += step * dims[d].strides[n];
      index = rest;
    }
  }

 private:
  void add(const Dim& dim) {
    bool alike = count > 0;
    for (int n = 0; n < N && alike; ++n) {
      const Dim& inner = dims[count - 1];
      alike = dim.strides[n] == inner.strides[n] * inner.size;
    }
    if (alike)
      dims[count - 1].size *= dim.size;
    else if (count < kMostDims)
      dims[count++] = dim;
    else
      fits = false;
  }
};

}  // namespace formulas
}  // namespace flatmin
