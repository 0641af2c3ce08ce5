// The weight's gradient of convolutions with few taps and outputs. An image is copied once for each
// column of the kernel, shifted and cut to the output's width: then a tap's windows stand in a row,
// and their products with dy are added lane by lane; the lanes are summed where a slice of the
// batch ends.
#include "cpu/base/transpose.h"
#include "cpu/conv/conv2d_direct.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

// Taps for which the registers hold sums of kDirectOuts outputs.
constexpr int kTaps = kLanes == 16 ? 4 : 3;

// x, which compilers would read from memory again for each use.
FLATMIN_INLINE vf inRegister(vf x) {
#if defined(__x86_64__)
  asm("" : "+v"(x));
#endif
  return x;
}

// Adds to sums[o * stride + t], vectors, dy times windows over `count` positions, of outputs
// `plane` floats apart.
template <int kO, int kT>
void addProducts(int64_t count, const float* dy, int64_t plane, const float* windows,
                 const int64_t* taps, float* sums, int64_t stride) {
  vf sum[kO][kT] = {};
  const float* x[kT];
  for (int t = 0; t < kT; ++t) x[t] = windows + taps[t];
  const auto add = [&](auto get) __attribute__((always_inline)) {
    vf pixels[kT];
    FLATMIN_UNROLL
    for (int t = 0; t < kT; ++t) pixels[t] = get(x[t]);
    FLATMIN_UNROLL
    for (int o = 0; o < kO; ++o) {
      const vf d = inRegister(get(dy + o * plane));
      FLATMIN_UNROLL
      for (int t = 0; t < kT; ++t) sum[o][t] += d * pixels[t];
    }
  };
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) add([=](const float* p) { return load(p + i); });
  if (i < count) add([=](const float* p) { return loadTail(p + i, count - i); });
  FLATMIN_UNROLL
  for (int o = 0; o < kO; ++o) FLATMIN_UNROLL
  for (int t = 0; t < kT; ++t) {
    float* const lanes = sums + (o * stride + t) * kLanes;
    store(lanes, load(lanes) + sum[o][t]);
  }
}

using AddProducts = void (*)(int64_t, const float*, int64_t, const float*, const int64_t*, float*,
                             int64_t);

template <int... i>
AddProducts chooseAddProducts(int64_t outs, int64_t taps, std::integer_sequence<int, i...>) {
  static constexpr AddProducts table[] = {addProducts<i / kTaps + 1, i % kTaps + 1>...};
  return table[(outs - 1) * kTaps + taps - 1];
}

}  // namespace

Run conv2dDirectGradWeight(Instruction& in, const Convolution& conv, Operand x, Operand dy,
                           Operand dw, Operand db) {
  const Windows w = conv.windows;
  const int64_t width = w.outWidth(), copies = w.channels * w.kernelWidth;
  const int64_t fitting = kUnfoldedFloats / (copies * width) - w.kernelHeight + 1;
  const int64_t most = std::clamp<int64_t>(fitting, 1, w.outHeight());  // output rows at once
  const int64_t copy = (most + w.kernelHeight - 1) * width;
  std::vector<int64_t> taps;  // where a tap's windows begin in the copies
  for (int64_t c = 0; c < w.channels; ++c)
    for (int64_t y = 0; y < w.kernelHeight; ++y)
      for (int64_t column = 0; column < w.kernelWidth; ++column)
        taps.push_back((c * w.kernelWidth + column) * copy + y * width);

  const int64_t perSlice = ceilDiv(conv.images, conv.partsOf(1, conv.images));
  const int64_t slices = ceilDiv(conv.images, perSlice);
  const int64_t weights = dw.size(), size = weights + conv.out,
                partial = FloatScratch::padded(size);
  const int64_t lanes = FloatScratch::padded(weights) * kLanes;
  const int64_t perThread =
      FloatScratch::padded(paddedFloats(w)) + FloatScratch::padded(copies * copy) + lanes;
  in.scratchBytes =
      (slices * partial + in.threads * perThread) * static_cast<int64_t>(sizeof(float));

  return [=](const Step& step) {
    float* const partials = reinterpret_cast<float*>(step.scratch);
    step.pool.parallel(slices, [&](int64_t slice, int thread) {
      FloatScratch scratch(partials + slices * partial + thread * perThread);
      float* const border = scratch.take(paddedFloats(w));
      float* const windows = scratch.take(copies * copy);
      float* const sums = scratch.take(lanes);
      float* const weightSums = partials + slice * partial;
      float* const biasSums = weightSums + weights;
      std::fill(sums, sums + lanes, 0.0f);
      std::fill(biasSums, biasSums + conv.out, 0.0f);

      const int64_t end = std::min((slice + 1) * perSlice, conv.images);
      for (int64_t i = slice * perSlice; i < end; ++i) {
        const float* const pixels = padImage(w, x.f32(step) + conv.inputAt(i, 0), border);
        const float* const image = dy.f32(step) + conv.outputAt(i, 0);
        for (int64_t row = 0; row < w.outHeight(); row += most) {
          const int64_t rows = std::min(most, w.outHeight() - row);
          for (int64_t c = 0; c < w.channels; ++c)
            for (int64_t column = 0; column < w.kernelWidth; ++column)
              copyRows(windows + (c * w.kernelWidth + column) * copy, width,
                       pixels + (c * w.paddedHeight() + row) * w.paddedWidth() + column,
                       w.paddedWidth(), rows + w.kernelHeight - 1, width);
          forEvenParts(conv.out, kDirectOuts, [&](int64_t o, int64_t outs) {
            forEvenParts(w.taps(), kTaps, [&](int64_t t, int64_t count) {
              chooseAddProducts(outs, count,
                                std::make_integer_sequence<int, kDirectOuts * kTaps>{})(
                  rows * width, image + o * conv.positions() + row * width, conv.positions(),
                  windows, taps.data() + t, sums + (o * w.taps() + t) * kLanes, w.taps());
            });
          });
        }
        for (int64_t o = 0; db.id >= 0 && o < conv.out; ++o)
          biasSums[o] += sumRow(image + o * conv.positions(), conv.positions());
      }
      for (int64_t k = 0; k < weights; k += kLanes) {
        vf rows[kLanes];
        for (int64_t i = 0; i < kLanes; ++i) rows[i] = load(sums + (k + i) * kLanes);
        storeTail(weightSums + k, sumRows(rows), std::min<int64_t>(kLanes, weights - k));
      }
    });
    addPartials(partials, partial, slices, size, step.pool);
    std::copy_n(partials, weights, dw.f32(step));
    if (db.id >= 0) std::copy_n(partials + weights, conv.out, db.f32(step));
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
