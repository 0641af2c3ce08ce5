// conv2dGradInput: dx = wᵀ * dy, as products with the transposed weight that are folded back
// (col2im).
#include "cpu/conv/conv2d.h"
#include "cpu/winograd/winograd.h"
#include "cpu/winograd/winograd_5x5.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

Run conv2dGradInputByProduct(Instruction& in, const Convolution& conv) {
  const Operand dy = in.inputs.at(0), weight = in.inputs.at(1), dx = in.outputs.at(0);
  const GemmShape shape{conv.images, conv.taps(), conv.out};
  const GemmFunctions products = gemmFunctionsOf(in);
  in.scratchBytes = static_cast<int64_t>(products.scratchFloats(shape, in.threads) * sizeof(float));
  return [=](const Step& step) {
    products.gemm(shape, {dy.f32(step), shape.k, 1}, {weight.f32(step), shape.n, 1},
                  {dx.f32(step), shape.n}, reinterpret_cast<float*>(step.scratch), step.pool);
  };
}

}  // namespace

Run op_conv2dGradInput(Instruction& in) {
  const Operand dy = in.inputs.at(0), weight = in.inputs.at(1), dx = in.outputs.at(0);
  const Convolution conv(in, dx, weight);
  if (dx.size() == 0) return [](const Step&) {};
  const bool inFloat32 = !conv.isProduct() && suitsWinograd5x5(conv);
  if (isRounded(in) && (inFloat32 || !multipliesBf16(in)))
    return withRoundedOperands(in, op_conv2dGradInput);
  if (conv.isProduct()) return conv2dGradInputByProduct(in, conv);

  const Windows w = conv.windows;
  // The convolution of dy with the weight turned round, its outputs and inputs exchanged.
  if (suitsWinograd(w, conv.groups, conv.out, w.channels))
    return winograd(in,
                    {conv.images, conv.out, w.channels, w.outHeight(), w.outWidth(), 2 - w.padY,
                     2 - w.padX, 9, w.taps(), true},
                    dy, weight, {}, dx);
  if (suitsWinograd5x5(conv)) return winograd5x5GradInput(in, conv, dy, weight, dx);
  const int64_t kernel = w.kernelHeight * w.kernelWidth, positions = w.positions();
  const int64_t outWidth = w.outWidth(), plane = w.height * w.width;
  const bool pointwise = w.isPointwise();
  const int64_t perTask = conv.imagesPerTask();
  const int64_t whole = ceilDiv(conv.images, perTask) * conv.groups;
  // Too few images: the input channels are cut as well.
  const int64_t parts = conv.partsOf(whole, std::min(w.taps() / 32, w.channels));
  const int64_t channels = ceilDiv(w.channels, parts);
  const Windows most = w.withChannels(channels);
  const Pieces pieces(w, conv.images, pointwise ? 1 : most.taps());

  const GemmShape largest{most.taps(), pieces.width(w), conv.out};
  const GemmFunctions products = gemmFunctionsOf(in);
  const int64_t gemmFloats = static_cast<int64_t>(products.serialScratchFloats(largest));
  const int64_t joined = pieces.images > 1 ? conv.out * largest.n : 0;
  const int64_t unfolded = pointwise && pieces.images == 1 ? 0 : most.taps() * largest.n;
  const int64_t perThread = FloatScratch::padded(paddedFloats(most)) +
                            FloatScratch::padded(unfolded) + FloatScratch::padded(joined) +
                            FloatScratch::padded(gemmFloats);
  in.scratchBytes = in.threads * perThread * static_cast<int64_t>(sizeof(float));

  return [=](const Step& step) {
    step.pool.parallel(whole * parts, [&](int64_t task, int thread) {
      FloatScratch scratch(reinterpret_cast<float*>(step.scratch) + thread * perThread);
      float* const border = scratch.take(paddedFloats(most));
      float* const columns = scratch.take(unfolded);
      float* const gathered = scratch.take(joined);
      float* const gemmScratch = scratch.take(gemmFloats);

      const int64_t part = task % parts, group = task / parts % conv.groups;
      const int64_t chunk = task / (parts * conv.groups), first = part * channels;
      if (first >= w.channels) return;  // guard
      const Windows mine = w.withChannels(std::min(channels, w.channels - first));
      const int64_t end = std::min((chunk + 1) * perTask, conv.images);
      const Matrix a{weight.f32(step) + group * conv.out * w.taps() + first * kernel, 1, w.taps()};

      for (int64_t image = chunk * perTask; image < end; image += pieces.images) {
        const int64_t count = std::min(pieces.images, end - image);
        const float* const from = dy.f32(step) + conv.outputAt(image, group);
        float* const to = dx.f32(step) + conv.inputAt(image, group) + first * plane;
        if (count > 1) joinImages(from, conv.outputAt(1, 0), count, conv.out, positions, gathered);
        const auto product = [&](int64_t begin, int64_t n, GemmOut c) {
          const Matrix b = count > 1 ? Matrix{gathered, n, 1} : Matrix{from + begin, positions, 1};
          products.serial({mine.taps(), n, conv.out}, a, b, c, gemmScratch);
        };
        if (unfolded == 0) {
          product(0, positions, {to, positions});
          continue;
        }
        for (int64_t row = 0; row < w.outHeight(); row += pieces.rows) {
          const int64_t rows = std::min(pieces.rows, w.outHeight() - row), width = rows * outWidth;
          product(row * outWidth, count * width, {columns, count * width});
          for (int64_t j = 0; j < count; ++j) {
            float* const own = to + j * conv.inputAt(1, 0);
            float* const sums = w.isPadded() ? border : own;
            if (row == 0) clearImage(mine, sums);
            fold(mine, columns + j * width, count * width, row, rows, sums);
            if (w.isPadded() && row + rows == w.outHeight()) cropImage(mine, sums, own);
          }
        }
      }
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
