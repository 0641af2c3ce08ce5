// conv2d: y = w * x + b of images [n, c, h, w], as products of the weight with unfolded windows
// (im2col).
#include "cpu/conv/conv2d.h"

#include "cpu/conv/conv2d_direct.h"
#include "cpu/winograd/winograd.h"
#include "cpu/winograd/winograd_5x5.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

// Windows that are whole images: rows of x times rows of the weight, for the batch at once.
Run conv2dByProduct(Instruction& in, const Convolution& conv) {
  const Operand x = in.inputs.at(0), weight = in.inputs.at(1), y = in.outputs.at(0);
  const Operand bias = in.inputs.size() > 2 ? in.inputs[2] : Operand{};
  const GemmShape shape{conv.images, conv.out, conv.taps()};
  const GemmFunctions products = gemmFunctionsOf(in);
  in.scratchBytes = static_cast<int64_t>(products.scratchFloats(shape, in.threads) * sizeof(float));
  return [=](const Step& step) {
    GemmOut out{y.f32(step), shape.n};
    if (bias.id >= 0) out.colBias = bias.f32(step);
    products.gemm(shape, {x.f32(step), shape.k, 1}, {weight.f32(step), 1, shape.k}, out,
                  reinterpret_cast<float*>(step.scratch), step.pool);
  };
}

}  // namespace

Run op_conv2d(Instruction& in) {
  const Operand x = in.inputs.at(0), weight = in.inputs.at(1), y = in.outputs.at(0);
  const Operand bias = in.inputs.size() > 2 ? in.inputs[2] : Operand{};
  const Convolution conv(in, x, weight);
  if (y.size() == 0) return [](const Step&) {};
  const bool inFloat32 = !conv.isProduct() && (suitsWinograd5x5(conv) || suitsDirect(conv));
  if (isRounded(in) && (inFloat32 || !multipliesBf16(in)))
    return withRoundedOperands(in, op_conv2d);
  if (conv.isProduct()) return conv2dByProduct(in, conv);

  const Windows w = conv.windows;
  if (suitsWinograd(w, conv.groups, w.channels, conv.out))
    return winograd(
        in,
        {conv.images, w.channels, conv.out, w.height, w.width, w.padY, w.padX, w.taps(), 9, false},
        x, weight, bias, y);
  if (suitsWinograd5x5(conv)) return winograd5x5(in, conv, x, weight, bias, y);
  if (suitsDirect(conv)) return conv2dDirect(in, conv, x, weight, bias, y);
  const int64_t taps = w.taps(), positions = w.positions(), outWidth = w.outWidth();
  const bool pointwise = w.isPointwise();
  const Pieces pieces(w, conv.images, pointwise ? 1 : taps);
  const int64_t perTask = conv.imagesPerTask();
  const int64_t whole = ceilDiv(conv.images, perTask) * pieces.perImage * conv.groups;
  // Too few images: the output channels are cut as well, and windows unfolded for each part.
  const int64_t outParts = conv.partsOf(whole, conv.out / 64);
  const int64_t outs = ceilDiv(conv.out, outParts);

  const GemmShape largest{outs, pieces.width(w), taps};
  const GemmFunctions products = gemmFunctionsOf(in);
  const int64_t gemmFloats = static_cast<int64_t>(products.serialScratchFloats(largest));
  const int64_t joined = pieces.images > 1 ? outs * largest.n : 0;
  const int64_t unfolded = pointwise && pieces.images == 1 ? 0 : taps * largest.n;
  const int64_t perThread = FloatScratch::padded(paddedFloats(w)) + FloatScratch::padded(unfolded) +
                            FloatScratch::padded(joined) + FloatScratch::padded(gemmFloats);
  in.scratchBytes = in.threads * perThread * static_cast<int64_t>(sizeof(float));

  return [=](const Step& step) {
    step.pool.parallel(whole * outParts, [&](int64_t task, int thread) {
      FloatScratch scratch(reinterpret_cast<float*>(step.scratch) + thread * perThread);
      float* const border = scratch.take(paddedFloats(w));
      float* const columns = scratch.take(unfolded);
      float* const product = scratch.take(joined);
      float* const gemmScratch = scratch.take(gemmFloats);

      const int64_t piece = task % pieces.perImage, group = task / pieces.perImage % conv.groups;
      const int64_t part = task / (pieces.perImage * conv.groups) % outParts;
      const int64_t chunk = task / (pieces.perImage * conv.groups * outParts);
      const int64_t row = piece * pieces.rows, rows = std::min(pieces.rows, w.outHeight() - row);
      const int64_t first = part * outs, m = std::min(outs, conv.out - first);
      if (m <= 0) return;  // guard
      const int64_t width = rows * outWidth, end = std::min((chunk + 1) * perTask, conv.images);
      const Matrix a{weight.f32(step) + (group * conv.out + first) * taps, taps, 1};
      const float* const rowBias =
          bias.id < 0 ? nullptr : bias.f32(step) + group * conv.out + first;

      for (int64_t image = chunk * perTask; image < end; image += pieces.images) {
        const int64_t count = std::min(pieces.images, end - image);
        Matrix b{columns, count * width, 1};
        if (unfolded == 0) {
          b = {x.f32(step) + conv.inputAt(image, group) + row * outWidth, positions, 1};
        } else {
          for (int64_t j = 0; j < count; ++j) {
            const float* from = padImage(w, x.f32(step) + conv.inputAt(image + j, group), border);
            unfold(w, from, row, rows, columns + j * width, count * width);
          }
        }
        float* const to =
            y.f32(step) + conv.outputAt(image, group) + first * positions + row * outWidth;
        GemmOut c{to, positions};
        c.rowBias = rowBias;
        if (count > 1) {
          c.data = product;
          c.ld = count * width;
        }
        products.serial({m, count * width, taps}, a, b, c, gemmScratch);
        if (count > 1) partImages(product, conv.groups * conv.out * positions, count, m, width, to);
      }
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
