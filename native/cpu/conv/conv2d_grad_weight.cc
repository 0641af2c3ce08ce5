// conv2dGradWeight: dw = dy * unfolded windows, summed over images and positions; db = the sums of
// dy. The batch is cut into slices whose number follows from the shape; their sums are added in
// order.
#include "cpu/conv/conv2d.h"

#include "cpu/conv/conv2d_direct.h"
#include "cpu/winograd/winograd.h"
#include "cpu/winograd/winograd_5x5.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

constexpr int64_t kSumDepth = 512;  // positions wanted for one product
constexpr int64_t kPartTaps = 128;  // rows of a window worth a task of their own

Run conv2dGradWeightByProduct(Instruction& in, const Convolution& conv) {
  const Operand x = in.inputs.at(0), dy = in.inputs.at(1), dw = in.outputs.at(0);
  const Operand db = in.outputs.size() > 1 ? in.outputs[1] : Operand{};
  const GemmShape shape{conv.out, conv.taps(), conv.images};
  const GemmFunctions products = gemmFunctionsOf(in);
  in.scratchBytes = static_cast<int64_t>(products.scratchFloats(shape, in.threads) * sizeof(float));
  return [=](const Step& step) {
    const float* const d = dy.f32(step);
    products.gemm(shape, {d, 1, shape.m}, {x.f32(step), shape.n, 1}, {dw.f32(step), shape.n},
                  reinterpret_cast<float*>(step.scratch), step.pool);
    if (db.id < 0) return;
    float* const sums = db.f32(step);
    std::memset(sums, 0, static_cast<size_t>(shape.m) * sizeof(float));
    for (int64_t image = 0; image < shape.k; ++image)
      for (int64_t o = 0; o < shape.m; ++o) sums[o] += d[image * shape.m + o];
  };
}

// Rounded operands in float32. The biases' sums are of what stood there before.
Run roundedFirst(Instruction& in, const Convolution& conv) {
  const Operand dy = in.inputs.at(1), db = in.outputs.size() > 1 ? in.outputs[1] : Operand{};
  in.outputs.resize(1);
  const Run weights = withRoundedOperands(in, op_conv2dGradWeight);
  return [=](const Step& step) {
    weights(step);
    if (db.id >= 0)
      sumPlanes(dy.f32(step), conv.images, db.size(), conv.positions(), db.f32(step), step.pool);
  };
}

}  // namespace

Run op_conv2dGradWeight(Instruction& in) {
  const Operand x = in.inputs.at(0), dy = in.inputs.at(1), dw = in.outputs.at(0);
  const Operand db = in.outputs.size() > 1 ? in.outputs[1] : Operand{};
  const Convolution conv(in, x, dw);
  const bool isDirect = suitsDirect(conv) && conv.windows.strideY == 1;
  const bool inFloat32 = !conv.isProduct() && (suitsWinograd5x5(conv) || isDirect);
  if (isRounded(in) && (inFloat32 || !multipliesBf16(in))) return roundedFirst(in, conv);
  if (conv.isProduct()) return conv2dGradWeightByProduct(in, conv);
  const Windows w = conv.windows;
  const int64_t taps = w.taps(), positions = w.positions(), outWidth = w.outWidth();
  const int64_t kernel = w.kernelHeight * w.kernelWidth, outs = conv.groups * conv.out;
  if (dy.size() == 0) {
    return [=](const Step& step) {
      std::memset(dw.f32(step), 0, static_cast<size_t>(dw.type.bytes()));
      if (db.id >= 0) std::memset(db.f32(step), 0, static_cast<size_t>(db.type.bytes()));
    };
  }

  if (suitsWinograd(w, conv.groups, w.channels, conv.out))
    return winogradGradWeight(
        in,
        {conv.images, w.channels, conv.out, w.height, w.width, w.padY, w.padX, w.taps(), 9, false},
        x, dy, dw, db);
  if (suitsWinograd5x5(conv)) return winograd5x5GradWeight(in, conv, x, dy, dw, db);
  if (isDirect) return conv2dDirectGradWeight(in, conv, x, dy, dw, db);

  // A task is a slice of the batch, a group and a part of its input channels.
  const int64_t parts = std::clamp<int64_t>(taps / kPartTaps, 1, std::max<int64_t>(w.channels, 1));
  const int64_t channels = ceilDiv(w.channels, parts);
  const int64_t perSlice = ceilDiv(conv.images, conv.partsOf(conv.groups * parts, conv.images));
  const int64_t slices = ceilDiv(conv.images, perSlice);
  const Windows most = w.withChannels(channels);

  // One product takes some output rows of an image, or several images.
  const int64_t fitting = std::max(kUnfoldedFloats / (most.taps() + conv.out), kProductWidth);
  const int64_t rowsAtOnce = std::clamp<int64_t>(fitting / outWidth, 1, w.outHeight());
  const int64_t joined = std::clamp<int64_t>(std::min(fitting, kSumDepth) / positions, 1, perSlice);

  const GemmShape largest{conv.out, most.taps(), joined * rowsAtOnce * outWidth};
  const GemmFunctions products = gemmFunctionsOf(in);
  const int64_t gemmFloats = static_cast<int64_t>(products.serialScratchFloats(largest));
  const int64_t unfolded = w.isPointwise() && joined == 1 ? 0 : most.taps() * largest.k;
  const int64_t gathered = joined > 1 ? conv.out * largest.k : 0;
  const int64_t perThread = FloatScratch::padded(paddedFloats(most)) +
                            FloatScratch::padded(unfolded) + FloatScratch::padded(gathered) +
                            FloatScratch::padded(gemmFloats);
  const int64_t allThreads = in.threads * perThread;
  const int64_t perPartial = slices == 1 ? 0 : FloatScratch::padded(dw.size() + outs);
  in.scratchBytes = (allThreads + slices * perPartial) * static_cast<int64_t>(sizeof(float));

  return [=](const Step& step) {
    float* const begin = reinterpret_cast<float*>(step.scratch);
    float* const partials = begin + allThreads;
    step.pool.parallel(slices * conv.groups * parts, [&](int64_t task, int thread) {
      FloatScratch scratch(begin + thread * perThread);
      float* const border = scratch.take(paddedFloats(most));
      float* const columns = scratch.take(unfolded);
      float* const joinedDy = scratch.take(gathered);
      float* const gemmScratch = scratch.take(gemmFloats);

      const int64_t part = task % parts, group = task / parts % conv.groups;
      const int64_t slice = task / (parts * conv.groups), first = part * channels;
      if (part > 0 && first >= w.channels) return;  // guard
      const Windows mine = w.withChannels(std::min(channels, w.channels - first));
      float* const partial = partials + slice * perPartial;
      float* const weights = slices == 1 ? dw.f32(step) : partial;
      float* biases = nullptr;
      if (db.id >= 0 && part == 0) {
        biases = (slices == 1 ? db.f32(step) : partial + dw.size()) + group * conv.out;
        std::fill(biases, biases + conv.out, 0.0f);
      }
      GemmOut c{weights + group * conv.out * taps + first * kernel, taps};

      const int64_t end = std::min((slice + 1) * perSlice, conv.images);
      for (int64_t image = slice * perSlice; image < end; image += joined) {
        const int64_t count = std::min(joined, end - image);
        const float* const from = dy.f32(step) + conv.outputAt(image, group);
        const float* const images =
            x.f32(step) + conv.inputAt(image, group) + first * w.height * w.width;
        for (int64_t row = 0; row < w.outHeight(); row += rowsAtOnce) {
          const int64_t width = std::min(rowsAtOnce, w.outHeight() - row) * outWidth;
          const int64_t k = count * width;
          Matrix a{from + row * outWidth, positions, 1};
          if (count > 1) {
            joinImages(from, conv.outputAt(1, 0), count, conv.out, positions, joinedDy);
            a = {joinedDy, k, 1};
          }
          Matrix b{images + row * outWidth, 1, positions};
          if (unfolded > 0) {
            for (int64_t j = 0; j < count; ++j) {
              const float* padded = padImage(mine, images + j * conv.inputAt(1, 0), border);
              unfold(mine, padded, row, width / outWidth, columns + j * width, k);
            }
            b = {columns, 1, k};
          }
          products.serial({conv.out, mine.taps(), k}, a, b, c, gemmScratch);
          c.beta = 1;
          for (int64_t o = 0; biases && o < conv.out; ++o) biases[o] += sumRow(a.at(o, 0), k);
        }
      }
    });
    if (slices == 1) return;

    addPartials(partials, perPartial, slices, dw.size() + (db.id < 0 ? 0 : outs), step.pool);
    std::memcpy(dw.f32(step), partials, static_cast<size_t>(dw.size()) * sizeof(float));
    if (db.id >= 0)
      std::memcpy(db.f32(step), partials + dw.size(), static_cast<size_t>(outs) * sizeof(float));
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
