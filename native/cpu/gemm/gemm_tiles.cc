#include "cpu/gemm/gemm_tiles.h"

#if defined(__AVX512F__)
#include <algorithm>
#include <vector>

#include "cpu/base/integers.h"
#include "cpu/gemm/amx.h"
#include "formulas/bf16.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

static_assert(kTileSide == amx::kTileRows && kTileSide == kLanes &&
              kTileSide * sizeof(float) == amx::kTileRowBytes);

}  // namespace

TileSession::TileSession() { amx::configure(); }
TileSession::~TileSession() { amx::release(); }

namespace {

constexpr int64_t kSide = 2;           // tiles of C in registers, each way
constexpr int64_t kBlockDepth = 16;    // tiles of a packed block of B along k,
constexpr int64_t kBlockColumns = 24;  // which with these across stays in the L2 cache

// M × N tiles of C in registers 0 … 3, those of A in 4 and 5, of B in 6 and 7.
template <int M, int N>
void multiplyInRegisters(int64_t k, TiledMatrix a, TiledMatrix b, float* c, int64_t ld) {
  constexpr int kA = kSide * kSide, kB = kA + kSide;
  amx::zero<0>();
  if constexpr (N > 1) amx::zero<1>();
  if constexpr (M > 1) amx::zero<kSide>();
  if constexpr (M > 1 && N > 1) amx::zero<kSide + 1>();
  for (; k > 0; --k, a.data += a.alongK, b.data += b.alongK) {
    amx::load<kB>(b.data, b.rowStride);
    amx::load<kA>(a.data, a.rowStride);
    amx::dot<0, kA, kB>();
    if constexpr (N > 1) {
      amx::load<kB + 1>(b.data + b.across, b.rowStride);
      amx::dot<1, kA, kB + 1>();
    }
    if constexpr (M > 1) {
      amx::load<kA + 1>(a.data + a.across, a.rowStride);
      amx::dot<kSide, kA + 1, kB>();
    }
    if constexpr (M > 1 && N > 1) amx::dot<kSide + 1, kA + 1, kB + 1>();
  }
  amx::store<0>(c, ld);
  if constexpr (N > 1) amx::store<1>(c + kTileSide, ld);
  if constexpr (M > 1) amx::store<kSide>(c + kTileSide * ld, ld);
  if constexpr (M > 1 && N > 1) amx::store<kSide + 1>(c + kTileSide * ld + kTileSide, ld);
}

// Its rows and columns in the place of a tile, and zeros beyond them.
void packTile(Matrix from, int64_t rows, int64_t columns, float* to) {
  rows = std::min(rows, kTileSide);
  columns = std::min(columns, kTileSide);
  vf tile[kTileSide];
  for (int64_t i = 0; i < kTileSide; ++i) tile[i] = vf{};
  if (from.colStride == 1) {
    for (int64_t i = 0; i < rows; ++i) tile[i] = loadTail(from.at(i, 0), columns);
  } else if (from.rowStride == 1) {
    for (int64_t j = 0; j < columns; ++j) tile[j] = loadTail(from.at(0, j), rows);
    transpose(tile);
  } else {
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j) tile[i][j] = *from.at(i, j);
  }
  for (int64_t i = 0; i < kTileSide; ++i) store(to + i * kTileSide, tile[i]);
}

}  // namespace

void multiplyTiles(int64_t m, int64_t n, int64_t k, TiledMatrix a, TiledMatrix b, float* c,
                   int64_t ld) {
  for (int64_t i = 0; i < m; i += kSide)
    for (int64_t j = 0; j < n; j += kSide) {
      float* const to = c + (i * ld + j) * kTileSide;
      const auto multiply =
          i + 1 < m ? (j + 1 < n ? multiplyInRegisters<2, 2> : multiplyInRegisters<2, 1>)
                    : (j + 1 < n ? multiplyInRegisters<1, 2> : multiplyInRegisters<1, 1>);
      multiply(k, a.from(i), b.from(j), to, ld);
    }
}

size_t gemmTilesScratchFloats(GemmShape s) {
  const int64_t depth = std::min(ceilDiv(s.k, kTileSide), kBlockDepth);
  const int64_t columns = std::min(ceilDiv(s.n, kTileSide), kBlockColumns);
  return depth * (columns + kSide) * kTileFloats;
}

void gemmTiles(GemmShape s, Matrix a, Matrix b, Target c, float* scratch) {
  const TileSession session;
  constexpr int64_t height = kSide * kTileSide;
  for (int64_t j = 0; j < s.n; j += kBlockColumns * kTileSide) {
    const int64_t width = std::min(s.n - j, kBlockColumns * kTileSide);
    int64_t p = 0;
    do {
      const int64_t depth = std::min(s.k - p, kBlockDepth * kTileSide);
      const int64_t tiles = ceilDiv(depth, kTileSide);
      Target out = c;
      if (p > 0) out.beta = 1;
      if (p + depth < s.k) out.rowBias = out.colBias = nullptr;

      const TiledMatrix packedA = {scratch, kTileSide, kTileFloats, tiles * kTileFloats};
      float* const ofB = scratch + kSide * tiles * kTileFloats;
      const TiledMatrix packedB = {ofB, kTileSide, kTileFloats, tiles * kTileFloats};
      float* to = ofB;
      for (int64_t t = 0; t < width; t += kTileSide)
        for (int64_t q = 0; q < depth; q += kTileSide, to += kTileFloats)
          packTile(b.from(p + q, j + t), depth - q, width - t, to);

      for (int64_t i = 0; i < s.m; i += height) {
        const int64_t rows = std::min(s.m - i, height);
        to = scratch;
        for (int64_t r = 0; r < rows; r += kTileSide)
          for (int64_t q = 0; q < depth; q += kTileSide, to += kTileFloats)
            packTile(a.from(i + r, p + q), rows - r, depth - q, to);
        for (int64_t t = 0; t < width; t += height) {
          alignas(64) float sums[height * height];
          const int64_t columns = std::min(width - t, height);
          multiplyTiles(ceilDiv(rows, kTileSide), ceilDiv(columns, kTileSide), tiles, packedA,
                        packedB.from(t / kTileSide), sums, height);
          finish(rows, columns, sums, height, out.from(i, j + t));
        }
      }
      p += depth;
    } while (p < s.k);
  }
}

// No processor that flatmin was developed on has AMX, so each that has is put to the test: a
// product of small integers, which is exact in every order.
bool runsTiles() {
  if (!amx::isThere()) return false;
  constexpr GemmShape s = {35, 19, 33};
  const auto number = [](int64_t i, int64_t j) {
    return static_cast<float>((7 * i + 3 * j) % 11 - 5);
  };
  const auto pair = [](float first, float second) {
    return formulas::bitCast<float>(uint32_t{formulas::narrowed(second)} << 16 |
                                    formulas::narrowed(first));
  };
  std::vector<float> a(s.m * s.k), b(s.k * s.n), c(s.m * s.n), scratch(gemmTilesScratchFloats(s));
  for (int64_t p = 0; p < s.k; ++p) {
    for (int64_t i = 0; i < s.m; ++i) a[i * s.k + p] = pair(number(i, 2 * p), number(i, 2 * p + 1));
    for (int64_t j = 0; j < s.n; ++j) b[p * s.n + j] = pair(number(2 * p, j), number(2 * p + 1, j));
  }
  gemmTiles(s, {a.data(), s.k, 1}, {b.data(), s.n, 1}, {c.data(), s.n, 1, 1, 0, nullptr, nullptr},
            scratch.data());
  for (int64_t i = 0; i < s.m; ++i)
    for (int64_t j = 0; j < s.n; ++j) {
      float sum = 0;
      for (int64_t q = 0; q < 2 * s.k; ++q) sum += number(i, q) * number(q, j);
      if (c[i * s.n + j] != sum) return false;
    }
  return true;
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
#endif
