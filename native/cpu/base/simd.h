// Vectors for the CPU kernels, by GCC/Clang vector extensions: one source for every instruction
// set. Files in native/cpu are compiled once per instruction set (FLATMIN_ISA = portable, avx2,
// avx512) and keep everything inside namespace flatmin::FLATMIN_ISA, so that no symbol of one set
// serves another.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace flatmin {
namespace FLATMIN_ISA {

#if defined(__AVX512F__)
inline constexpr int kLanes = 16;
#elif defined(__AVX2__)
inline constexpr int kLanes = 8;
#else
inline constexpr int kLanes = 4;
#endif

typedef float vf __attribute__((vector_size(kLanes * 4)));
typedef int32_t vi __attribute__((vector_size(kLanes * 4)));
typedef uint32_t vu __attribute__((vector_size(kLanes * 4)));
typedef double vd __attribute__((vector_size(kLanes * 4)));  // kLanes / 2 doubles
inline constexpr int kLanesF64 = kLanes / 2;

static inline vf load(const float* p) {
  vf v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
static inline void store(float* p, vf v) { std::memcpy(p, &v, sizeof v); }
static inline vd load(const double* p) {
  vd v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
static inline void store(double* p, vd v) { std::memcpy(p, &v, sizeof v); }

// The first n lanes (0 <= n <= kLanes), the others zero: a tail does the same arithmetic as the
// body.
#if defined(__AVX512F__)
static inline __mmask16 firstLanes(int64_t n) { return static_cast<__mmask16>((1u << n) - 1); }
static inline vf loadTail(const float* p, int64_t n) {
  return (vf)_mm512_maskz_loadu_ps(firstLanes(n), p);
}
static inline void storeTail(float* p, vf v, int64_t n) {
  _mm512_mask_storeu_ps(p, firstLanes(n), (__m512)v);
}
#elif defined(__AVX2__)
static inline __m256i firstLanes(int64_t n) {
  return (__m256i)(vi{0, 1, 2, 3, 4, 5, 6, 7} < static_cast<int32_t>(n));
}
static inline vf loadTail(const float* p, int64_t n) {
  return (vf)_mm256_maskload_ps(p, firstLanes(n));
}
static inline void storeTail(float* p, vf v, int64_t n) {
  _mm256_maskstore_ps(p, firstLanes(n), (__m256)v);
}
#else
static inline vf loadTail(const float* p, int64_t n) {
  vf v = {};
  for (int l = 0; l < kLanes; ++l) v[l] = l < n ? p[l] : 0.0f;
  return v;
}
static inline void storeTail(float* p, vf v, int64_t n) {
  for (int l = 0; l < kLanes; ++l)
    if (l < n) p[l] = v[l];
}
#endif

static inline vf splat(float x) { return x - vf{}; }  // 0 + x would lose the sign of −0

// combine(lane l, lane l + width) for widths of half the lanes, a quarter, … 1.
template <class Combine>
static inline float foldLanes(vf v, Combine combine) {
#if defined(__clang__)
  float lanes[kLanes];
  store(lanes, v);
  for (int width = kLanes / 2; width > 0; width /= 2)
    for (int l = 0; l < width; ++l) lanes[l] = combine(lanes[l], lanes[l + width]);
  return lanes[0];
#else
  vi lane;
  for (int l = 0; l < kLanes; ++l) lane[l] = l;
  for (int width = kLanes / 2; width > 0; width /= 2)
    v = combine(v, __builtin_shuffle(v, lane + width));
  return v[0];
#endif
}

static inline float sumLanes(vf v) {
  return foldLanes(v, [](auto a, auto b) { return a + b; });
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
