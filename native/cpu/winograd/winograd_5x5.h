// 5×5 convolutions with stride 1, of few channels, by F(2×2, 5×5): a tile of 2×2 outputs is
// Aᵀ [(G w Gᵀ) ⊙ (Bᵀ d B)] A of its 6×6 inputs d, with 36 multiplications instead of 100, by the
// points 0, ±2/3, ±3/2, ∞, which lose least in float32 (Lavin and Gray 2016 by Toom and Cook's
// construction). The gradients are its transposes. Images lie side by side in lanes.
#pragma once

#include "cpu/conv/image_lanes.h"

namespace flatmin {
namespace FLATMIN_ISA {

// Whether the tiles' transforms are worth their multiplications.
static inline bool suitsWinograd5x5(const Convolution& conv) {
  const Windows& w = conv.windows;
  const auto suits = [](int64_t channels) { return channels >= 4 && channels <= 32; };
  return conv.groups == 1 && w.kernelHeight == 5 && w.kernelWidth == 5 && w.strideY == 1 &&
         w.strideX == 1 && suits(w.channels) && suits(conv.out) && conv.images >= kLanes;
}

// All set the instruction's scratch; bias and db may be absent (id −1).
Run winograd5x5(Instruction& in, const Convolution& conv, Operand x, Operand weight, Operand bias,
                Operand y);
Run winograd5x5GradInput(Instruction& in, const Convolution& conv, Operand dy, Operand weight,
                         Operand dx);
Run winograd5x5GradWeight(Instruction& in, const Convolution& conv, Operand x, Operand dy,
                          Operand dw, Operand db);

}  // namespace FLATMIN_ISA
}  // namespace flatmin
