// The serial product of gemm.h over pairs of bfloat16 (bf16_pairs.h) on AMX's tiles: 16 × 16 pairs
// of A, row by row, and of B.
#pragma once

#include "cpu/gemm/gemm_microkernel.h"

#if defined(__AVX512F__)
#include "cpu/gemm/gemm.h"

namespace flatmin {
namespace FLATMIN_ISA {

// Of a tile in floats, which stand for pairs.
inline constexpr int64_t kTileSide = 16, kTileFloats = kTileSide * kTileSide;

// The calling thread's tiles are ready for use while there is one.
class TileSession {
 public:
  TileSession();
  ~TileSession();
  TileSession(const TileSession&) = delete;
  TileSession& operator=(const TileSession&) = delete;
};

// Where an operand's tiles stand: their rows `rowStride` floats apart, the next tile `alongK`
// floats further and the next of other rows of A or columns of B `across`.
struct TiledMatrix {
  const float* data;
  int64_t rowStride, alongK, across;

  TiledMatrix from(int64_t tile) const { return {data + tile * across, rowStride, alongK, across}; }
};

// C = A B for m × n tiles of C, whose rows are `ld` floats apart, k tiles deep. In a session.
void multiplyTiles(int64_t m, int64_t n, int64_t k, TiledMatrix a, TiledMatrix b, float* c,
                   int64_t ld);

// The product of any matrices, with k counted in pairs; C has a column stride of 1.
size_t gemmTilesScratchFloats(GemmShape shape);
void gemmTiles(GemmShape shape, Matrix a, Matrix b, Target c, float* scratch);

// Whether this processor has tiles, by the system and by a product.
bool runsTiles();

}  // namespace FLATMIN_ISA
}  // namespace flatmin
#endif
