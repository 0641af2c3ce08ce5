#include "winograd_tiles.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

constexpr int64_t kTransformed = 1 << 23;  // floats of the tiles held at a time, wanted
constexpr int64_t kOutsPerTask = 128;

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

// Gᵀ e G of one transformed tap matrix, its elements `stride` floats apart.
void transformTapsBack(const float* e, int64_t stride, float* to) {
  float rows[3][4];
  for (int s = 0; s < 4; ++s) {
    const auto at = [=](int r) { return e[(4 * r + s) * stride]; };
    const float half = 0.5f * (at(1) + at(2));
    rows[0][s] = at(0) + half;
    rows[1][s] = 0.5f * (at(1) - at(2));
    rows[2][s] = half + at(3);
  }
  for (const auto& row : rows) {
    const float half = 0.5f * (row[1] + row[2]);
    *to++ = row[0] + half;
    *to++ = 0.5f * (row[1] - row[2]);
    *to++ = half + row[3];
  }
}

}  // namespace

Run winogradGradWeight(Instruction& instruction, const WinogradConvolution& conv, Operand x,
                       Operand dy, Operand dw, Operand db) {
  const int64_t outHeight = conv.outHeight(), outWidth = conv.outWidth();
  const int64_t across = ceilDiv(outWidth, 2), down = ceilDiv(outHeight, 2), own = across * down;
  const int64_t columns = 2 * across + 2;
  const int64_t perImage = kElements * own * (conv.in + conv.out);
  const int64_t images = std::clamp<int64_t>(kTransformed / perImage, 1, conv.images);
  const int64_t stride = ceilDiv(images * own, kLanes) * kLanes;
  const int64_t weights = conv.out * conv.in, paddedFloats = (2 * down + 2) * columns;

  const int64_t outParts = ceilDiv(conv.out, kOutsPerTask), outs = ceilDiv(conv.out, outParts);
  const int64_t gemmFloats = static_cast<int64_t>(gemmSerialScratchFloats({outs, conv.in, stride}));
  const int64_t perThread =
      std::max(Scratch::padded(paddedFloats) + kElements * stride, Scratch::padded(gemmFloats));
  const int64_t inputFloats = kElements * conv.in * stride;
  const int64_t gradientFloats = kElements * conv.out * stride;
  const int64_t sumFloats = Scratch::padded(kElements * weights);
  instruction.scratchBytes =
      (inputFloats + gradientFloats + sumFloats + instruction.threads * perThread) *
      static_cast<int64_t>(sizeof(float));

  return [=](const Step& step) {
    float* const inputs = reinterpret_cast<float*>(step.scratch);
    float* const gradients = inputs + inputFloats;
    float* const sums = gradients + gradientFloats;
    const int64_t plane = conv.height * conv.width, outPlane = outHeight * outWidth;
    for (int64_t first = 0; first < conv.images; first += images) {
      const int64_t count = std::min(images, conv.images - first);
      step.pool.parallel(conv.in + conv.out, [&](int64_t task, int thread) {
        Scratch scratch(sums + sumFloats + thread * perThread);
        float* const gathered = scratch.take(kElements * stride);
        float* const padded = scratch.take(paddedFloats);
        std::fill(gathered, gathered + kElements * stride, 0.0f);
        if (task < conv.in) {
          for (int64_t j = 0; j < count; ++j) {
            const float* const image = x.f32(step) + ((first + j) * conv.in + task) * plane;
            padRows(conv, image, 0, 2 * down + 2, columns, padded);
            gatherTiles(padded, columns, down, across, gathered + j * own, stride);
          }
          return transformInputs(gathered, stride, inputs + task * stride, conv.in * stride);
        }
        const int64_t o = task - conv.in;
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
    step.pool.parallel(conv.out, [&](int64_t o, int) {
      for (int64_t c = 0; c < conv.in; ++c)
        transformTapsBack(sums + o * conv.in + c, weights,
                          dw.f32(step) + o * conv.outStride + c * conv.inStride);
      if (db.id < 0) return;
      float sum = 0;
      for (int64_t i = 0; i < conv.images; ++i)
        sum += sumRow(dy.f32(step) + (i * conv.out + o) * outPlane, outPlane);
      db.f32(step)[o] = sum;
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
