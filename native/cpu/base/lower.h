// The lower triangle of a symmetric n x n matrix, row by row: that of a whole matrix, or packed, as
// statistics are stored (src/linalg/packed.ts).
#pragma once

#include <cstdint>

#include "formulas/packed.h"

namespace flatmin {
namespace FLATMIN_ISA {

using formulas::packedSize;

struct Lower {
  const float* data;
  int64_t n;
  bool packed;

  const float* row(int64_t r) const { return data + (packed ? packedSize(r) : r * n); }
};

inline Lower wholeMatrix(const float* data, int64_t n) { return {data, n, false}; }
inline Lower packedMatrix(const float* data, int64_t n) { return {data, n, true}; }

}  // namespace FLATMIN_ISA
}  // namespace flatmin
