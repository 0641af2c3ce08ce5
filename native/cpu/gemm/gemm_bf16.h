// The matrix product of gemm.h with operands rounded to bfloat16 and float32 sums, on processors
// that multiply pairs of it.
#pragma once

#include "cpu/gemm/gemm.h"
#include "program/host.h"

#if defined(__AVX512F__)
namespace flatmin {
namespace FLATMIN_ISA {

// Of matrices whose elements are pairs along k (bf16_pairs.h), with k counted in pairs.
size_t gemmPairsScratchFloats(PairUnit unit, GemmShape shape, int threads);
void gemmPairs(PairUnit unit, GemmShape shape, Matrix a, Matrix b, GemmOut c, float* scratch,
               ThreadPool& pool);

size_t gemmPairsSerialScratchFloats(PairUnit unit, GemmShape shape);
void gemmPairsSerial(PairUnit unit, GemmShape shape, Matrix a, Matrix b, GemmOut c, float* scratch);

// Of matrices of floats, which are rounded to pairs in scratch first; for a unit that is not none.
GemmFunctions gemmBf16(PairUnit unit);

}  // namespace FLATMIN_ISA
}  // namespace flatmin
#endif
