// Vectors of floats that stand in memory as bfloat16.
#pragma once

#include "cpu/base/simd.h"
#include "formulas/bf16.h"

namespace flatmin {
namespace FLATMIN_ISA {

typedef uint16_t vh __attribute__((vector_size(kLanes * 2)));

// The first n lanes (0 <= n <= kLanes), the others zero.
static inline vf loadBf16(const uint16_t* p, int64_t n = kLanes) {
  vh halves = {};
  std::memcpy(&halves, p, static_cast<size_t>(n) * sizeof *p);
  return (vf)(__builtin_convertvector(halves, vu) << 16);
}

// Rounded to the nearest.
static inline void storeBf16(uint16_t* p, vf v, int64_t n = kLanes) {
  const vh halves = __builtin_convertvector(formulas::bf16Of((vu)v), vh);
  std::memcpy(p, &halves, static_cast<size_t>(n) * sizeof *p);
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
