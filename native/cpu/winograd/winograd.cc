#include "cpu/winograd/winograd.h"

#include "cpu/gemm/products.h"
#include "cpu/winograd/winograd_bf16.h"
#include "cpu/winograd/winograd_tiles.h"
#include "cpu/winograd/winograd_weight.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

constexpr int64_t kTransformed = 1 << 20;  // floats of a task's tiles, wanted
constexpr int64_t kFewTiles = 96;          // below, reading the weights takes longest
constexpr int64_t kTasks = 8;
// All of the batch at once:
constexpr int64_t kMostTiles = 2048;
constexpr int64_t kMostFloats = 1 << 24;

// Tiles of a task: some rows of tiles of one image, or all of several images, image by image.
struct Tiles {
  int64_t across, down;  // of an image
  int64_t images, rows;  // of a task
  int64_t perImage;      // tasks
  int64_t stride;        // floats between two elements of a tile: whole vectors

  explicit Tiles(const WinogradConvolution& conv)
      : across(ceilDiv(conv.outWidth(), 2)), down(ceilDiv(conv.outHeight(), 2)) {
    const int64_t own = across * down;
    const int64_t wanted = std::max(kTransformed / (kElements * (conv.in + conv.out)), kFewTiles);
    rows = std::clamp<int64_t>(wanted / across, 1, down);
    perImage = ceilDiv(down, rows);
    rows = ceilDiv(down, perImage);
    images = perImage > 1 ? 1 : std::clamp<int64_t>(wanted / own, 1, ceilDiv(conv.images, kTasks));
    stride = tileStride(images * rows * across);
  }
};

// Aᵀ m A + bias of every tile: its four outputs, `count` floats apart.
void transformOutputs(const float* from, int64_t fromStride, float bias, int64_t count, float* to) {
  for (int64_t t = 0; t < count; t += kLanes) {
    vf rows[2][4];
    for (int s = 0; s < 4; ++s) {
      const auto m = [&](int r) { return load(from + (4 * r + s) * fromStride + t); };
      const vf second = m(1), third = m(2);
      rows[0][s] = m(0) + second + third;
      rows[1][s] = second - third - m(3);
    }
    for (int i = 0; i < 2; ++i) {
      const vf* const row = rows[i];
      store(to + 2 * i * count + t, row[0] + row[1] + row[2] + bias);
      store(to + (2 * i + 1) * count + t, row[1] - row[2] - row[3] + bias);
    }
  }
}

// Outputs of rows of tiles to their places in an image, of which those beyond its edge are dropped.
void scatterTiles(const float* from, int64_t count, int64_t across, int64_t rows, int64_t width,
                  float* y) {
  for (int64_t row = 0; row < rows; ++row, y += width)
    for (int b = 0; b < 2; ++b) {
      const float* const element = from + (2 * (row % 2) + b) * count + row / 2 * across;
      for (int64_t j = 0; 2 * j + b < width; ++j) y[2 * j + b] = element[j];
    }
}

// All tiles of the batch element by element: for weights so large that they are best read once.
Run atOnce(Instruction& instruction, const WinogradConvolution& conv, Operand x, Operand weight,
           Operand bias, Operand y) {
  const int64_t own = conv.tilesOfImage(), across = ceilDiv(conv.outWidth(), 2);
  const int64_t stride = tileStride(conv.images * own);
  const int64_t outParts = ceilDiv(conv.out, kOutsPerTask), outs = ceilDiv(conv.out, outParts);
  const int64_t gemmFloats = static_cast<int64_t>(gemmSerialScratchFloats({outs, stride, conv.in}));
  const int64_t perThread =
      std::max(FloatScratch::padded(gemmFloats),
               kElements * stride + FloatScratch::padded(conv.paddedFloats()));
  const int64_t weightFloats = FloatScratch::padded(kElements * conv.out * conv.in);
  const int64_t inputFloats = kElements * conv.in * stride;
  const int64_t productFloats = kElements * conv.out * stride;
  instruction.scratchBytes =
      (weightFloats + inputFloats + productFloats + instruction.threads * perThread) *
      static_cast<int64_t>(sizeof(float));

  return [=](const Step& step) {
    float* const transformed = reinterpret_cast<float*>(step.scratch);
    float* const inputs = transformed + weightFloats;
    float* const products = inputs + inputFloats;
    float* const threads = products + productFloats;
    const TransformedWeight taps{conv, transformed};
    taps.fill(weight.f32(step), step.pool);
    step.pool.parallel(conv.in, [&](int64_t c, int thread) {
      float* const gathered = threads + thread * perThread;
      gatherChannel(conv, x.f32(step) + c * conv.plane(), conv.images, gathered, stride,
                    gathered + kElements * stride);
      transformInputs(gathered, stride, inputs + c * stride, conv.in * stride);
    });
    step.pool.parallel(kElements * outParts, [&](int64_t task, int thread) {
      const int64_t e = task / outParts, o = task % outParts * outs;
      gemmSerial({std::min(outs, conv.out - o), stride, conv.in},
                 taps.of(static_cast<int>(e)).from(o, 0),
                 {inputs + e * conv.in * stride, stride, 1},
                 {products + (e * conv.out + o) * stride, stride}, threads + thread * perThread);
    });
    step.pool.parallel(conv.out, [&](int64_t o, int thread) {
      float* const outputs = threads + thread * perThread;
      transformOutputs(products + o * stride, conv.out * stride,
                       bias.id < 0 ? 0.0f : bias.f32(step)[o], stride, outputs);
      for (int64_t i = 0; i < conv.images; ++i)
        scatterTiles(outputs + i * own, stride, across, conv.outHeight(), conv.outWidth(),
                     y.f32(step) + (i * conv.out + o) * conv.outPlane());
    });
  };
}

}  // namespace

Run winograd(Instruction& instruction, const WinogradConvolution& conv, Operand x, Operand weight,
             Operand bias, Operand y) {
#if defined(__AVX512F__)
  if (multipliesBf16(instruction)) return winogradBf16(instruction, conv, x, weight, bias, y);
#endif
  const int64_t all = conv.images * conv.tilesOfImage();
  if (all <= kMostTiles && kElements * (conv.in + conv.out) * all <= kMostFloats)
    return atOnce(instruction, conv, x, weight, bias, y);
  const Tiles tiles(conv);
  const int64_t stride = tiles.stride, weights = conv.out * conv.in;
  const int64_t columns = 2 * tiles.across + 2;
  const int64_t gemmFloats =
      static_cast<int64_t>(gemmSerialScratchFloats({conv.out, stride, conv.in}));
  const int64_t paddedFloats = (2 * tiles.rows + 2) * columns;
  const int64_t perThread = FloatScratch::padded(paddedFloats) +
                            kElements * stride * (1 + conv.in + conv.out) +
                            FloatScratch::padded(gemmFloats);
  const int64_t weightFloats = FloatScratch::padded(kElements * weights);
  instruction.scratchBytes =
      (weightFloats + instruction.threads * perThread) * static_cast<int64_t>(sizeof(float));

  return [=](const Step& step) {
    float* const transformed = reinterpret_cast<float*>(step.scratch);
    const TransformedWeight taps{conv, transformed};
    taps.fill(weight.f32(step), step.pool);

    const int64_t plane = conv.plane(), outPlane = conv.outPlane();
    const int64_t tasks = ceilDiv(conv.images, tiles.images) * tiles.perImage;
    step.pool.parallel(tasks, [&](int64_t task, int thread) {
      FloatScratch scratch(transformed + weightFloats + thread * perThread);
      float* const padded = scratch.take(paddedFloats);
      float* const gathered = scratch.take(kElements * stride);  // and a channel's outputs
      float* const inputs = scratch.take(kElements * stride * conv.in);
      float* const products = scratch.take(kElements * stride * conv.out);
      float* const gemmScratch = scratch.take(gemmFloats);

      const int64_t image = task / tiles.perImage * tiles.images;
      const int64_t count = std::min(tiles.images, conv.images - image);
      const int64_t row = task % tiles.perImage * tiles.rows;
      const int64_t rows = std::min(tiles.rows, tiles.down - row), own = rows * tiles.across;
      if (rows <= 0) return;  // guard
      std::fill(gathered, gathered + kElements * stride, 0.0f);
      for (int64_t c = 0; c < conv.in; ++c) {
        for (int64_t j = 0; j < count; ++j) {
          const float* const from = x.f32(step) + ((image + j) * conv.in + c) * plane;
          padRows(conv, from, 2 * row, 2 * rows + 2, columns, padded);
          gatherTiles(padded, columns, rows, tiles.across, gathered + j * own, stride);
        }
        transformInputs(gathered, stride, inputs + c * stride, conv.in * stride);
      }
      for (int e = 0; e < kElements; ++e)
        gemmSerial({conv.out, stride, conv.in}, taps.of(e),
                   {inputs + e * conv.in * stride, stride, 1},
                   {products + e * conv.out * stride, stride}, gemmScratch);
      for (int64_t o = 0; o < conv.out; ++o) {
        transformOutputs(products + o * stride, conv.out * stride,
                         bias.id < 0 ? 0.0f : bias.f32(step)[o], stride, gathered);
        const int64_t outRows = std::min(2 * rows, conv.outHeight() - 2 * row);
        for (int64_t j = 0; j < count; ++j) {
          float* const to = y.f32(step) + ((image + j) * conv.out + o) * outPlane;
          scatterTiles(gathered + j * own, stride, tiles.across, outRows, conv.outWidth(),
                       to + 2 * row * conv.outWidth());
        }
      }
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
