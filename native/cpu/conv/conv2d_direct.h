// Convolutions with few taps and few outputs over wide rows, where unfolding windows would take
// longer than the products: windows are read in place, a vector of positions in a row at a time.
#pragma once

#include "cpu/conv/conv2d.h"

namespace flatmin {
namespace FLATMIN_ISA {

// Outputs whose sums are held in registers at a time.
inline constexpr int kDirectOuts = kLanes == 16 ? 6 : 3;

static inline bool suitsDirect(const Convolution& conv) {
  const Windows& w = conv.windows;
  const int64_t covered = ceilDiv(w.outWidth(), kLanes) * kLanes;
  return conv.groups == 1 && w.strideX == 1 && w.taps() > 1 && w.taps() <= 64 && conv.out <= 16 &&
         w.outWidth() >= kLanes && 5 * w.outWidth() >= 4 * covered;
}

// bias may be absent (id −1). Sets the instruction's scratch.
Run conv2dDirect(Instruction& in, const Convolution& conv, Operand x, Operand weight, Operand bias,
                 Operand y);

// Of windows that move by one row. db may be absent.
Run conv2dDirectGradWeight(Instruction& in, const Convolution& conv, Operand x, Operand dy,
                           Operand dw, Operand db);

}  // namespace FLATMIN_ISA
}  // namespace flatmin
