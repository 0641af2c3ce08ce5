// 3×3 convolutions with stride 1 by F(2×2, 3×3) of Lavin and Gray (2016): a tile of 2×2 outputs is
// Aᵀ [(G w Gᵀ) ⊙ (Bᵀ d B)] A of its 4×4 inputs d, with 16 multiplications instead of 36. Summed
// over channels, each of the 16 is a matrix product over all tiles. The weight's gradient is its
// transpose Gᵀ [(A dy Aᵀ) ⊙ (Bᵀ d B)] G, summed over tiles by as many products.
#pragma once

#include "cpu/base/kernels.h"
#include "cpu/conv/unfold.h"

namespace flatmin {
namespace FLATMIN_ISA {

inline constexpr int kElements = 16;  // of a transformed tile

// y [images, out, …] = w * x of images [images, in, height, width].
struct WinogradConvolution {
  int64_t images, in, out;
  int64_t height, width, padY, padX;
  // Tap (i, j) of output o and input c at o * outStride + c * inStride + 3 i + j; the other way
  // round when flipped.
  int64_t outStride, inStride;
  bool flipped;

  int64_t outHeight() const { return height + 2 * padY - 2; }
  int64_t outWidth() const { return width + 2 * padX - 2; }
  int64_t plane() const { return height * width; }
  int64_t outPlane() const { return outHeight() * outWidth(); }
  // Of an image with its border, up to whole tiles.
  int64_t paddedFloats() const {
    return (2 * ((outHeight() + 1) / 2) + 2) * (2 * ((outWidth() + 1) / 2) + 2);
  }
  int64_t tilesOfImage() const { return (outHeight() + 1) / 2 * ((outWidth() + 1) / 2); }
};

// Whether the tiles' transforms are worth their multiplications.
inline bool suitsWinograd(const Windows& w, int64_t groups, int64_t in, int64_t out) {
  return groups == 1 && w.kernelHeight == 3 && w.kernelWidth == 3 && w.strideY == 1 &&
         w.strideX == 1 && w.padY <= 2 && w.padX <= 2 && in >= 32 && out >= 32;
}

// Both set the instruction's scratch; bias and db may be absent (id −1).
Run winograd(Instruction& instruction, const WinogradConvolution& conv, Operand x, Operand weight,
             Operand bias, Operand y);
Run winogradGradWeight(Instruction& instruction, const WinogradConvolution& conv, Operand x,
                       Operand dy, Operand dw, Operand db);

}  // namespace FLATMIN_ISA
}  // namespace flatmin
