// Matrix product C = alpha A B + beta C in float32, and its symmetric form C = alpha A Aᵀ + beta C.
// The result is the same to the bit for every number of threads and every alignment: the order in
// which an element's products are added follows from the shape and the strides alone.
#pragma once

#include <cstddef>
#include <cstdint>

#include "program/thread_pool.h"

namespace flatmin {
namespace FLATMIN_ISA {

// Element (i, j) at data[i * rowStride + j * colStride]: a transpose or a slice is a change of
// strides.
struct Matrix {
  const float* data;
  int64_t rowStride, colStride;

  const float* at(int64_t i, int64_t j) const { return data + i * rowStride + j * colStride; }
  Matrix from(int64_t i, int64_t j) const { return {at(i, j), rowStride, colStride}; }
  Matrix transposed() const { return {data, colStride, rowStride}; }
};

// C is m x n, A is m x k, B is k x n.
struct GemmShape {
  int64_t m, n, k;
};

// C[i * ld + j] = alpha * (A B)(i, j) + beta * C[i * ld + j] + rowBias[i] + colBias[j].
// With beta 0, C is not read; a null bias is none. C must not overlap A or B.
struct GemmOut {
  float* data;
  int64_t ld;
  float alpha = 1;
  float beta = 0;
  const float* rowBias = nullptr;
  const float* colBias = nullptr;
};

// Scratch is 64-byte aligned; threads is that of the pool.
size_t gemmScratchFloats(GemmShape shape, int threads);
void gemm(GemmShape shape, Matrix a, Matrix b, GemmOut c, float* scratch, ThreadPool& pool);

// On the calling thread, for callers that are themselves inside a task.
size_t gemmSerialScratchFloats(GemmShape shape);
void gemmSerial(GemmShape shape, Matrix a, Matrix b, GemmOut c, float* scratch);

// The functions above, or others of the same use.
struct GemmFunctions {
  size_t (*scratchFloats)(GemmShape, int threads);
  void (*gemm)(GemmShape, Matrix, Matrix, GemmOut, float* scratch, ThreadPool&);
  size_t (*serialScratchFloats)(GemmShape);
  void (*serial)(GemmShape, Matrix, Matrix, GemmOut, float* scratch);
};
inline constexpr GemmFunctions kGemmFloat32 = {gemmScratchFloats, gemm, gemmSerialScratchFloats,
                                               gemmSerial};

// C (n x n) = alpha A Aᵀ + beta C with A n x k: the lower triangle is computed (and, with beta,
// read) and mirrored. Takes no biases; scratch as for gemm with the shape {n, n, k}.
void syrk(int64_t n, int64_t k, Matrix a, GemmOut c, float* scratch, ThreadPool& pool);

// The same with the lower triangle alone in C, packed (lower.h); c.ld is of no account.
size_t syrkPackedScratchFloats(int64_t n, int64_t k, int threads);
void syrkPacked(int64_t n, int64_t k, Matrix a, GemmOut c, float* scratch, ThreadPool& pool);

}  // namespace FLATMIN_ISA
}  // namespace flatmin
