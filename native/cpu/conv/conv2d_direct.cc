#include "cpu/conv/conv2d_direct.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

// Vectors of positions for which the registers hold sums of kDirectOuts outputs.
constexpr int kVectors = 4;

struct Image {
  const float* pixels;  // padded
  const int64_t* taps;  // where they stand for a window that begins at 0
  int64_t tapCount;
  const float* weight;
  const float* bias;
  float* y;
  int64_t positions;
};

// Outputs o … at some vectors of positions, whose windows begin at `from`.
template <int kO, int kV>
void outputs(const Image& image, int64_t o, const int64_t* from, const int64_t* to) {
  const float* const weight = image.weight + o * image.tapCount;
  vf sum[kO][kV];
  for (int i = 0; i < kO; ++i)
    for (int v = 0; v < kV; ++v) sum[i][v] = image.bias ? splat(image.bias[o + i]) : vf{};
  for (int64_t t = 0; t < image.tapCount; ++t) {
    vf x[kV];
    for (int v = 0; v < kV; ++v) x[v] = load(image.pixels + image.taps[t] + from[v]);
    for (int i = 0; i < kO; ++i)
      for (int v = 0; v < kV; ++v) sum[i][v] += weight[i * image.tapCount + t] * x[v];
  }
  for (int i = 0; i < kO; ++i)
    for (int v = 0; v < kV; ++v) store(image.y + (o + i) * image.positions + to[v], sum[i][v]);
}

using Outputs = void (*)(const Image&, int64_t, const int64_t*, const int64_t*);

template <int... i>
Outputs chooseOutputs(int64_t outs, int64_t vectors, std::integer_sequence<int, i...>) {
  static constexpr Outputs table[] = {outputs<i / kVectors + 1, i % kVectors + 1>...};
  return table[(outs - 1) * kVectors + vectors - 1];
}

}  // namespace

Run conv2dDirect(Instruction& in, const Convolution& conv, Operand x, Operand weight, Operand bias,
                 Operand y) {
  const Windows w = conv.windows;
  std::vector<int64_t> taps, from, to;  // of windows; of vectors in the input and the output
  forTaps(w, 0, [&](int64_t, int64_t at) { taps.push_back(at); });
  for (int64_t row = 0; row < w.outHeight(); ++row)
    forPieces<kLanes>(w.outWidth(), [&](int64_t i) {
      from.push_back(row * w.strideY * w.paddedWidth() + i);
      to.push_back(row * w.outWidth() + i);
    });
  const int64_t perTask = conv.imagesPerTask(), perThread = FloatScratch::padded(paddedFloats(w));
  const int64_t vectors = static_cast<int64_t>(from.size());
  in.scratchBytes = in.threads * perThread * static_cast<int64_t>(sizeof(float));
  return [=](const Step& step) {
    step.pool.parallel(ceilDiv(conv.images, perTask), [&](int64_t task, int thread) {
      float* const border = reinterpret_cast<float*>(step.scratch) + thread * perThread;
      const int64_t end = std::min((task + 1) * perTask, conv.images);
      for (int64_t i = task * perTask; i < end; ++i) {
        const Image image{padImage(w, x.f32(step) + conv.inputAt(i, 0), border),
                          taps.data(),
                          w.taps(),
                          weight.f32(step),
                          bias.id < 0 ? nullptr : bias.f32(step),
                          y.f32(step) + conv.outputAt(i, 0),
                          conv.positions()};
        forEvenParts(vectors, kVectors, [&](int64_t v, int64_t count) {
          forEvenParts(conv.out, kDirectOuts, [&](int64_t o, int64_t outs) {
            chooseOutputs(outs, count, std::make_integer_sequence<int, kDirectOuts * kVectors>{})(
                image, o, from.data() + v, to.data() + v);
          });
        });
      }
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
