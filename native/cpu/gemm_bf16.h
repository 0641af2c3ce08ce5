// The matrix product of gemm.h with operands rounded to bfloat16 and float32 sums, on processors
// with vdpbf16ps (Host::dotsBf16).
#pragma once

#include "gemm.h"

#if defined(__AVX512F__)
namespace flatmin {
namespace FLATMIN_ISA {

// Of matrices whose elements are pairs along k (bf16_pairs.h), with k counted in pairs. Scratch as
// for gemm and gemmSerial.
void gemmPairs(GemmShape shape, Matrix a, Matrix b, GemmOut c, float* scratch, ThreadPool& pool);
void gemmPairsSerial(GemmShape shape, Matrix a, Matrix b, GemmOut c, float* scratch);

// Of matrices of floats, which are rounded to pairs in scratch first.
size_t gemmBf16ScratchFloats(GemmShape shape, int threads);
void gemmBf16(GemmShape shape, Matrix a, Matrix b, GemmOut c, float* scratch, ThreadPool& pool);

size_t gemmBf16SerialScratchFloats(GemmShape shape);
void gemmBf16Serial(GemmShape shape, Matrix a, Matrix b, GemmOut c, float* scratch);

}  // namespace FLATMIN_ISA
}  // namespace flatmin
#endif
