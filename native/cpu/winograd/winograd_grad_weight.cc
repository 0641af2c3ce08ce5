#include "cpu/gemm/products.h"
#include "cpu/winograd/winograd_bf16.h"
#include "cpu/winograd/winograd_taps_back.h"
#include "cpu/winograd/winograd_tiles.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

constexpr int64_t kTransformedGrad = 1 << 21;  // floats of the tiles held at a time, wanted,
constexpr int64_t kFewTilesGrad = 512;         // but enough of them to read and write the sums for

// The 4 gradients of every tile, an element of all tiles after the other; 0 beyond the image.
void gatherGradients(const float* dy, int64_t height, int64_t width, int64_t across, float* to,
                     int64_t stride) {
  for (int64_t y = 0; y < height; ++y)
    for (int64_t s = 0; s < 2; ++s) {
      const float* const from = dy + y * width + s;
      float* const element = to + (2 * (y % 2) + s) * stride + y / 2 * across;
      for (int64_t j = 0; 2 * j + s < width; ++j) element[j] = from[2 * j];
    }
}

void transformTwo(vf first, vf second, vf (&to)[4]) {
  to[0] = first, to[1] = first + second, to[2] = first - second, to[3] = -second;
}

// A d Aᵀ of every tile.
void transformGradients(const float* from, int64_t count, float* to, int64_t toStride) {
  for (int64_t t = 0; t < count; t += kLanes) {
    vf left[4], right[4], row[4];
    transformTwo(load(from + t), load(from + 2 * count + t), left);
    transformTwo(load(from + count + t), load(from + 3 * count + t), right);
    for (int r = 0; r < 4; ++r) {
      transformTwo(left[r], right[r], row);
      for (int s = 0; s < 4; ++s) store(to + (4 * r + s) * toStride + t, row[s]);
    }
  }
}

}  // namespace

Run winogradGradWeight(Instruction& instruction, const WinogradConvolution& conv, Operand x,
                       Operand dy, Operand dw, Operand db) {
#if defined(__AVX512F__)
  if (multipliesBf16(instruction)) return winogradBf16GradWeight(instruction, conv, x, dy, dw, db);
#endif
  const int64_t outHeight = conv.outHeight(), outWidth = conv.outWidth();
  const int64_t across = ceilDiv(outWidth, 2), own = conv.tilesOfImage();
  const int64_t perImage = kElements * own * (conv.in + conv.out);
  const int64_t images = std::clamp<int64_t>(
      std::max(kTransformedGrad / perImage, ceilDiv(kFewTilesGrad, own)), 1, conv.images);
  const int64_t stride = tileStride(images * own);
  const int64_t weights = conv.out * conv.in;

  const int64_t outParts = ceilDiv(conv.out, kOutsPerTask), outs = ceilDiv(conv.out, outParts);
  const int64_t gemmFloats = static_cast<int64_t>(gemmSerialScratchFloats({outs, conv.in, stride}));
  const int64_t perThread = std::max(FloatScratch::padded(conv.paddedFloats()) + kElements * stride,
                                     FloatScratch::padded(gemmFloats));
  const int64_t inputFloats = kElements * conv.in * stride;
  const int64_t gradientFloats = kElements * conv.out * stride;
  const int64_t sumFloats = FloatScratch::padded(kElements * weights);
  instruction.scratchBytes =
      (inputFloats + gradientFloats + sumFloats + instruction.threads * perThread) *
      static_cast<int64_t>(sizeof(float));

  return [=](const Step& step) {
    float* const inputs = reinterpret_cast<float*>(step.scratch);
    float* const gradients = inputs + inputFloats;
    float* const sums = gradients + gradientFloats;
    const int64_t outPlane = conv.outPlane();
    for (int64_t first = 0; first < conv.images; first += images) {
      const int64_t count = std::min(images, conv.images - first);
      step.pool.parallel(conv.in + conv.out, [&](int64_t task, int thread) {
        FloatScratch scratch(sums + sumFloats + thread * perThread);
        float* const gathered = scratch.take(kElements * stride);
        if (task < conv.in) {
          gatherChannel(conv, x.f32(step) + (first * conv.in + task) * conv.plane(), count,
                        gathered, stride, scratch.take(conv.paddedFloats()));
          return transformInputs(gathered, stride, inputs + task * stride, conv.in * stride);
        }
        const int64_t o = task - conv.in;
        std::fill(gathered, gathered + kElements * stride, 0.0f);
        for (int64_t j = 0; j < count; ++j)
          gatherGradients(dy.f32(step) + ((first + j) * conv.out + o) * outPlane, outHeight,
                          outWidth, across, gathered + j * own, stride);
        transformGradients(gathered, stride, gradients + o * stride, conv.out * stride);
      });
      step.pool.parallel(kElements * outParts, [&](int64_t task, int thread) {
        const int64_t e = task / outParts, o = task % outParts * outs;
        const int64_t m = std::min(outs, conv.out - o);
        GemmOut c{sums + e * weights + o * conv.in, conv.in};
        c.beta = first == 0 ? 0 : 1;
        gemmSerial({m, conv.in, stride}, {gradients + (e * conv.out + o) * stride, stride, 1},
                   {inputs + e * conv.in * stride, 1, stride}, c,
                   sums + sumFloats + thread * perThread);
      });
    }
    transformWeightBack(conv, sums, dw.f32(step), step.pool);
    if (db.id >= 0)
      sumPlanes(dy.f32(step), conv.images, conv.out, outPlane, db.f32(step), step.pool);
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
