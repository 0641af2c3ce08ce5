// Pairs of bfloat16 as vdpbf16ps multiplies them, each in the place of a float: the first in its
// lower half. Rounded to the nearest, ties to even; subnormal numbers become zero.
#pragma once

#if defined(__AVX512F__)
#include "cpu/base/simd.h"

namespace flatmin {
namespace FLATMIN_ISA {

// `low` in the lower half of the lanes' bits and `high` in the upper, before it is put in place.
// In assembly, since the file is compiled for processors without it, too.
static inline __m512i narrowedBoth(vf low, vf high) {
  __m512i halves;
  asm("vcvtne2ps2bf16 %1, %2, %0" : "=v"(halves) : "v"(low), "v"(high));
  return halves;
}

// Lane l is the pair of lanes l.
static inline vf pairs(vf first, vf second) {
  typedef uint16_t Halves __attribute__((vector_size(64)));
  const Halves order = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                        8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  return (vf)_mm512_permutexvar_epi16((__m512i)order, narrowedBoth(first, second));
}

// Lane l is the pair of elements 2 l and 2 l + 1 of both vectors, one after the other.
static inline vf neighbours(vf first, vf second) { return (vf)narrowedBoth(first, second); }

static inline __m256i narrowed(vf v) {
  __m256i halves;
  asm("vcvtneps2bf16 %1, %0" : "=v"(halves) : "v"(v));
  return halves;
}

static inline void storeNarrowed(uint16_t* to, vf v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), narrowed(v));
}

// The first half of the lanes and the second, each to a place of its own.
static inline void storeNarrowedApart(uint16_t* first, uint16_t* second, vf v) {
  const __m256i halves = narrowed(v);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(first), _mm256_castsi256_si128(halves));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(second), _mm256_extracti128_si256(halves, 1));
}

// Pairs of the first half's lanes with the second half's.
static inline void storePairsOfHalves(float* to, vf v) {
  typedef uint16_t Halves __attribute__((vector_size(32)));
  const Halves order = {0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15};
  _mm256_storeu_ps(to, (__m256)_mm256_permutexvar_epi16((__m256i)order, narrowed(v)));
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
#endif
