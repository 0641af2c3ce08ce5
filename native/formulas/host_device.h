// Formulas are written once and compiled for the CPU (scalars and vectors) and for CUDA (scalars).
#pragma once

#if defined(__CUDACC__)
#define FLATMIN_FORMULA __host__ __device__ __forceinline__
#else
#define FLATMIN_FORMULA inline __attribute__((always_inline))
#endif

#if defined(__CUDACC__)  // which unrolls by itself, and whose host compiler refuses its pragma
#define FLATMIN_UNROLL
#elif defined(__clang__)
#define FLATMIN_UNROLL _Pragma("unroll")
#else
#define FLATMIN_UNROLL _Pragma("GCC unroll 16")
#endif
