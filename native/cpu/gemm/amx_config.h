// The shape of AMX's registers as flatmin uses them, in the bytes that ldtilecfg reads.
#pragma once

#include <cstdint>

namespace flatmin {
namespace FLATMIN_ISA {
namespace amx {

inline constexpr int kTileRows = 16, kTileRowBytes = 64, kTileCount = 8;

struct TileConfig {
  uint8_t palette = 1, startRow = 0, reserved[14] = {};
  uint16_t rowBytes[16] = {};
  uint8_t rows[16] = {};

  constexpr TileConfig() {
    for (int i = 0; i < kTileCount; ++i) {
      rowBytes[i] = kTileRowBytes;
      rows[i] = kTileRows;
    }
  }
};
static_assert(sizeof(TileConfig) == 64);

}  // namespace amx
}  // namespace FLATMIN_ISA
}  // namespace flatmin
