// AMX's registers and operations as Intel's manual has them (Software Developer's Manual, volume 2,
// LDTILECFG and TDPBF16PS), in memory. An operation on what is not configured ends the process, as
// it does there.
#pragma once

#include <cfloat>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "cpu/gemm/amx_config.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace amx {

// Nobody chooses it but tests.
inline bool isThere() {
#if defined(FLATMIN_AMX_MODEL)
  return true;
#else
  return false;
#endif
}

class Model {
 public:
  using Tile = uint32_t[kTileRows][kTileRowBytes / 4];

  static Model& ofThread() {
    static thread_local Model model;
    return model;
  }
  void configure(const TileConfig& config) {
    if (config.palette != 1 || config.startRow != 0) std::abort();
    for (int t = 0; t < kTileCount; ++t)
      if (config.rows[t] != kTileRows || config.rowBytes[t] != kTileRowBytes) std::abort();
    configured_ = true;
    std::memset(tiles_, 0, sizeof tiles_);
  }
  void release() { configured_ = false; }
  Tile& tile(int t) {
    if (!configured_) std::abort();
    return tiles_[t];
  }

 private:
  bool configured_ = false;
  Tile tiles_[kTileCount];
};

inline void configure() { Model::ofThread().configure(TileConfig()); }
inline void release() { Model::ofThread().release(); }

template <int kTile>
inline void zero() {
  std::memset(Model::ofThread().tile(kTile), 0, sizeof(Model::Tile));
}

template <int kTile>
inline void load(const float* rows, int64_t stride) {
  Model::Tile& tile = Model::ofThread().tile(kTile);
  for (int i = 0; i < kTileRows; ++i) std::memcpy(tile[i], rows + i * stride, kTileRowBytes);
}
template <int kTile>
inline void store(float* rows, int64_t stride) {
  const Model::Tile& tile = Model::ofThread().tile(kTile);
  for (int i = 0; i < kTileRows; ++i) std::memcpy(rows + i * stride, tile[i], kTileRowBytes);
}

// Subnormal numbers, of operands and of results, are zero.
inline float flushed(float x) { return std::fabs(x) < FLT_MIN ? 0 * x : x; }

template <int kC, int kA, int kB>
inline void dot() {
  constexpr int kColumns = kTileRowBytes / 4;
  Model& model = Model::ofThread();
  const Model::Tile &a = model.tile(kA), &b = model.tile(kB);
  Model::Tile& c = model.tile(kC);
  const auto floatOf = [](uint32_t bits) {
    float x;
    std::memcpy(&x, &bits, sizeof x);
    return flushed(x);
  };
  float low[kTileRows][kColumns], high[kTileRows][kColumns];  // the pairs of B
  for (int k = 0; k < kTileRows; ++k)
    for (int j = 0; j < kColumns; ++j) {
      low[k][j] = floatOf(b[k][j] << 16);
      high[k][j] = floatOf(b[k][j] & 0xffff0000u);
    }
  for (int i = 0; i < kTileRows; ++i) {
    float even[kColumns] = {}, odd[kColumns] = {};  // sums of the pairs' first and second products
    for (int k = 0; k < kTileRows; ++k) {
      const float first = floatOf(a[i][k] << 16), second = floatOf(a[i][k] & 0xffff0000u);
      for (int j = 0; j < kColumns; ++j) {
        even[j] = flushed(std::fma(first, low[k][j], even[j]));
        odd[j] = flushed(std::fma(second, high[k][j], odd[j]));
      }
    }
    for (int j = 0; j < kColumns; ++j) {
      const float sum = flushed(floatOf(c[i][j]) + flushed(even[j] + odd[j]));
      std::memcpy(&c[i][j], &sum, sizeof sum);
    }
  }
}

}  // namespace amx
}  // namespace FLATMIN_ISA
}  // namespace flatmin
