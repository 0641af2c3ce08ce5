// Random crops and mirror images: where a pixel of an image comes from (src/ops/augment.ts).
#pragma once

#include "philox.h"

namespace flatmin {
namespace formulas {

struct Augmentation {
  int64_t rows, columns;   // most that an image is moved by
  uint32_t flipThreshold;  // of uniformThreshold
  bool adjoint;
};

// Row i comes from row i + down, column j from j + across, or from its mirror image + across.
struct ImageMove {
  int64_t down, across;
  bool mirrored;

  FLATMIN_FORMULA int64_t column(int64_t j, int64_t width) const {
    return (mirrored ? width - 1 - j : j) + across;
  }
};

FLATMIN_FORMULA ImageMove imageMove(const RandomSource& source, int64_t image,
                                    const Augmentation& a) {
  const uint64_t first = 4 * static_cast<uint64_t>(image);
  const uint32_t down = randomWord(source, first), across = randomWord(source, first + 1);
  const bool mirrored = randomWord(source, first + 2) >> 8 < a.flipThreshold;
  const auto drawn = [](uint32_t word, int64_t most) {
    return static_cast<int64_t>(word * static_cast<uint64_t>(2 * most + 1) >> 32) - most;
  };
  const int64_t rows = drawn(down, a.rows), columns = drawn(across, a.columns);
  if (!a.adjoint) return {rows, columns, mirrored};
  // A mirror image is moved back by the same move.
  return {-rows, mirrored ? columns : -columns, mirrored};
}

}  // namespace formulas
}  // namespace flatmin
