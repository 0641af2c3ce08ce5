// C = A B with operands that are functions of their indices, so that a transpose, a convolution's
// windows and a plain matrix share one kernel: blocks of 64 × 64 elements, 4 × 4 to a thread,
// through shared memory. A long k is cut into pieces by the shape alone, whose products are added
// in order by a second kernel.
//
// A and B: `float at(row, column)` for indices within the shape, and `bool alongK`, whether
// neighbours in k are neighbours in memory. Out: `void put(i, j, value)`.
#pragma once

#include "cuda/base/launch.h"
#include "cuda/gemm/rounding.h"

namespace flatmin {
namespace cuda {

constexpr int kTile = 64;       // rows and columns of a block's part of C
constexpr int kTileDepth = 16;  // of k at a time
constexpr int kPart = 4;        // rows and columns of a thread's part
static_assert((kTile / kPart) * (kTile / kPart) == kThreads, "a part to each thread");

// C is m × n, k is cut into `pieces` of `depth`.
struct GemmShape {
  int64_t m, n, k;
  int64_t pieces = 1, depth = 0;

  GemmShape(int64_t m, int64_t n, int64_t k) : m(m), n(n), k(k), depth(k) {
    constexpr int64_t kWantedBlocks = 256, kLeastDepth = 256;
    const int64_t wanted = kWantedBlocks / std::max<int64_t>(tiles(), 1);
    const int64_t most = std::max<int64_t>(std::min(wanted, k / kLeastDepth), 1);
    depth = ((k + most - 1) / most + kTileDepth - 1) / kTileDepth * kTileDepth;
    pieces = depth == 0 ? 1 : (k + depth - 1) / depth;
  }

  __host__ __device__ int64_t columnTiles() const { return (n + kTile - 1) / kTile; }
  __host__ __device__ int64_t tiles() const { return (m + kTile - 1) / kTile * columnTiles(); }
  int64_t scratchBytes() const {
    return pieces > 1 ? pieces * m * n * static_cast<int64_t>(sizeof(float)) : 0;
  }
};

// Element (i, j) at data[i · rowStride + j · columnStride].
struct Matrix {
  const float* data;
  int64_t rowStride, columnStride;
  bool alongK;

  __device__ float at(int64_t i, int64_t j) const { return data[i * rowStride + j * columnStride]; }
};
// As the left and as the right operand.
inline Matrix leftMatrix(const float* data, int64_t rowStride, int64_t columnStride) {
  return {data, rowStride, columnStride, columnStride == 1};
}
inline Matrix rightMatrix(const float* data, int64_t rowStride, int64_t columnStride) {
  return {data, rowStride, columnStride, rowStride == 1 && columnStride != 1};
}

// X as the other operand: columns by rows.
template <class X>
struct Transposed {
  X x;
  bool alongK;

  __device__ float at(int64_t i, int64_t j) const { return x.at(j, i); }
};

// X's elements rounded; an operand's type of its own, so that others pay no registers for it.
template <class X>
struct Rounded {
  X x;
  Rounding rounding;
  bool alongK;

  __device__ float at(int64_t i, int64_t j) const { return rounding(x.at(i, j)); }
};

// C[i · n + j] ← value + bias[j]; a null bias is none.
struct RowMajor {
  float* data;
  int64_t n;
  const float* bias;

  __device__ void put(int64_t i, int64_t j, float value) const {
    data[i * n + j] = bias ? value + bias[j] : value;
  }
};

// Where an element of a 64 × 16 slab stands that a thread copies in its turn: threads that are
// neighbours copy neighbours in memory.
struct Turn {
  int wide, deep;
  __device__ Turn(int turn, bool alongK) {
    const int thread = static_cast<int>(threadIdx.x);
    constexpr int kDeepRows = kThreads / kTileDepth, kWideRows = kThreads / kTile;
    wide = alongK ? thread / kTileDepth + turn * kDeepRows : thread % kTile;
    deep = alongK ? thread % kTileDepth : thread / kTile + turn * kWideRows;
  }
};

template <class A, class B, class Out>
__global__ void __launch_bounds__(kThreads)
    multiply(GemmShape shape, A a, B b, Out out, float* partial) {
  constexpr int kTurns = kTile * kTileDepth / kThreads;
  SHARED(float, as, [kTileDepth][kTile]);
  SHARED(float, bs, [kTileDepth][kTile]);
  const int row = static_cast<int>(threadIdx.x) / (kTile / kPart) * kPart;
  const int column = static_cast<int>(threadIdx.x) % (kTile / kPart) * kPart;
  for (int64_t task = blockIdx.x; task < shape.tiles() * shape.pieces; task += gridDim.x) {
    const int64_t tile = task % shape.tiles(), piece = task / shape.tiles();
    const int64_t top = tile / shape.columnTiles() * kTile;
    const int64_t left = tile % shape.columnTiles() * kTile;
    const int64_t end = (piece + 1) * shape.depth < shape.k ? (piece + 1) * shape.depth : shape.k;
    float sums[kPart][kPart] = {};
    for (int64_t k = piece * shape.depth; k < end; k += kTileDepth) {
      for (int turn = 0; turn < kTurns; ++turn) {
        const Turn ta(turn, a.alongK), tb(turn, b.alongK);
        const int64_t i = top + ta.wide, ka = k + ta.deep;
        const int64_t j = left + tb.wide, kb = k + tb.deep;
        as[ta.deep][ta.wide] = i < shape.m && ka < end ? a.at(i, ka) : 0.0f;
        bs[tb.deep][tb.wide] = j < shape.n && kb < end ? b.at(kb, j) : 0.0f;
      }
      __syncthreads();
      for (int d = 0; d < kTileDepth; ++d) {
        const float4 va = load4(&as[d][row]), vb = load4(&bs[d][column]);
        const float x[kPart] = {va.x, va.y, va.z, va.w}, y[kPart] = {vb.x, vb.y, vb.z, vb.w};
        for (int r = 0; r < kPart; ++r)
          for (int c = 0; c < kPart; ++c) sums[r][c] += x[r] * y[c];
      }
      __syncthreads();
    }
    for (int r = 0; r < kPart; ++r)
      for (int c = 0; c < kPart; ++c) {
        const int64_t i = top + row + r, j = left + column + c;
        if (i >= shape.m || j >= shape.n) continue;
        if (shape.pieces == 1)
          out.put(i, j, sums[r][c]);
        else
          partial[(piece * shape.m + i) * shape.n + j] = sums[r][c];
      }
  }
}

template <class Out>
__global__ void addProducts(GemmShape shape, const float* partial, Out out) {
  const int64_t size = shape.m * shape.n;
  for (int64_t at = globalThread(); at < size; at += globalThreads()) {
    float sum = 0;
    for (int64_t p = 0; p < shape.pieces; ++p) sum += partial[p * size + at];
    out.put(at / shape.n, at % shape.n, sum);
  }
}

// Scratch: shape.scratchBytes().
template <class A, class B, class Out>
void gemm(const GemmShape& shape, A a, B b, Out out, char* scratch, void* stream) {
  if (shape.m * shape.n == 0) return;  // guard
  float* const partial = reinterpret_cast<float*>(scratch);
  const unsigned blocks =
      static_cast<unsigned>(std::min(shape.tiles() * shape.pieces, int64_t{1} << 20));
  const auto product = multiply<A, B, Out>;
  LAUNCH(product, blocks, kThreads, 0, stream, shape, a, b, out, partial);
  if (shape.pieces > 1)
    LAUNCH(addProducts<Out>, blocksFor(shape.m * shape.n), kThreads, 0, stream, shape, partial,
           out);
}

template <class A, class B, class Out>
void gemm(const GemmShape& shape, Rounding rounding, A a, B b, Out out, char* scratch,
          void* stream) {
  if (rounding.dropped == 0)
    gemm(shape, a, b, out, scratch, stream);
  else
    gemm(shape, Rounded<A>{a, rounding, a.alongK}, Rounded<B>{b, rounding, b.alongK}, out, scratch,
         stream);
}

}  // namespace cuda
}  // namespace flatmin
