// AMX: eight registers, tiles of 16 rows of 64 bytes, and what multiplies them. The same operations
// stand in amx_model.h, for tests and for compilers too old to know these.
#pragma once

// Headers of GCC and of Clang that come with an assembler for them.
#if defined(FLATMIN_AMX_MODEL) || !(__has_include(<amxbf16intrin.h>) || __has_include(<amxintrin.h>))
#include "cpu/gemm/amx_model.h"
#else
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

#include "cpu/gemm/amx_config.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace amx {

// Whether the processor has it, and the system lets this process use it: it asks for that.
inline bool isThere() {
#if defined(__linux__)
  constexpr unsigned kBf16 = 1u << 22, kTile = 1u << 24;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // of arch_prctl
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & kBf16) || !(d & kTile)) return false;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

inline void configure() {
  static constexpr TileConfig kConfig;
  asm volatile("ldtilecfg %0" : : "m"(kConfig));
}
inline void release() { asm volatile("tilerelease"); }

template <int kTile>
inline void zero() {
  asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
}

// Rows `stride` floats apart.
template <int kTile>
inline void load(const float* rows, int64_t stride) {
  asm volatile("tileloadd (%0,%1,4), %%tmm%c2" : : "r"(rows), "r"(stride), "i"(kTile) : "memory");
}
template <int kTile>
inline void store(float* rows, int64_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,4)" : : "r"(rows), "r"(stride), "i"(kTile) : "memory");
}

// C += A B: floats in C, pairs of bfloat16 along k in A and B.
template <int kC, int kA, int kB>
inline void dot() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kC), "i"(kA), "i"(kB));
}

}  // namespace amx
}  // namespace FLATMIN_ISA
}  // namespace flatmin
#endif
