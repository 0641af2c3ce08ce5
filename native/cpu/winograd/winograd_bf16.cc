#include "cpu/winograd/winograd_bf16.h"

#if defined(__AVX512F__)
#include "cpu/base/bf16_pairs.h"
#include "cpu/gemm/gemm_tiles.h"
#include "cpu/gemm/products.h"
#include "cpu/winograd/winograd_bf16_tiles.h"
#include "cpu/winograd/winograd_bf16_weight.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

constexpr int64_t kOutsWaiting = 32;  // whose products wait for their transform
constexpr int64_t kTileVectorsAtOnce = 3;
constexpr int64_t kCachedFloats = 196608;  // of a task
constexpr int64_t kUncutTasks = 32;        // or few tasks are cut by outputs

// Rows of tiles of the batch, image after image, in tasks of so many.
struct TileRows {
  int64_t across, down, total, rows;
  int64_t stride;  // tiles of a task in whole vectors

  explicit TileRows(const WinogradConvolution& conv)
      : across(ceilDiv(conv.outWidth(), 2)),
        down(ceilDiv(conv.outHeight(), 2)),
        total(conv.images * down) {
    const int64_t perTile = kElements * (ceilDiv(conv.in, 2) + kOutsWaiting);
    const int64_t wanted = std::max<int64_t>(kCachedFloats / perTile, 3 * kLanes);
    rows = std::clamp<int64_t>(wanted / across, 1, total);
    rows = ceilDiv(total, ceilDiv(total, rows));
    stride = ceilDiv(rows * across, kLanes) * kLanes;
  }
  int64_t tasks() const { return ceilDiv(total, rows); }
};

using PairTile = void (*)(const TileOperands&, const Target&);
constexpr PairTile kPairTiles[] = {tile<Pairs, kPanelOuts, 1, true>,
                                   tile<Pairs, kPanelOuts, 2, true>,
                                   tile<Pairs, kPanelOuts, 3, true>};

}  // namespace

Run winogradBf16(Instruction& instruction, const WinogradConvolution& conv, Operand x,
                 Operand weight, Operand bias, Operand y) {
  const TileRows tiles(conv);
  const auto inputChunks = chunksOf<InputTiles>(conv);
  const auto outputChunks = chunksOf<OutputTiles>(conv);
  const bool sideBySide = areSideBySide(conv);
  const PairUnit unit = pairUnitOf(instruction);
  const WeightPanels panels(conv, unit);
  const int64_t stride = tiles.stride, pairsOfInputs = ceilDiv(conv.in, 2), depth = panels.depth();
  // A vector more, for the last row's lanes, and lest elements meet in the same lines of a cache.
  const int64_t inputStride = depth * stride + kLanes;
  const int64_t productStride = kOutsWaiting * stride + kLanes;
  const int64_t inputFloats = kElements * inputStride + kLanes;
  const int64_t productFloats = kElements * productStride + kLanes;
  const int64_t weightFloats = FloatScratch::padded(panels.floats());

  const int64_t tasks = tiles.tasks();
  const int64_t groups = ceilDiv(conv.out, kOutsWaiting);
  const int64_t parts = std::clamp<int64_t>(kUncutTasks / tasks, 1, groups);
  // Parts share the inputs of their task.
  const int64_t inputsHeld = parts == 1 ? instruction.threads : tasks;
  instruction.scratchBytes =
      (weightFloats + inputsHeld * inputFloats + instruction.threads * productFloats) *
      static_cast<int64_t>(sizeof(float));

  return [=](const Step& step) {
    float* const transformed = reinterpret_cast<float*>(step.scratch);
    float* const allInputs = transformed + weightFloats;
    float* const allProducts = allInputs + inputsHeld * inputFloats;
    step.pool.parallel(panels.count(), [&](int64_t panel, int) {
      panels.fill(weight.f32(step), panel, transformed);
    });

    const auto transform = [&](int64_t task, float* inputs) {
      const int64_t first = task * tiles.rows, rows = std::min(tiles.rows, tiles.total - first);
      // Vectors reach beyond a row of tiles, into the next, which is written after it.
      for (int64_t p = 0; p < pairsOfInputs; ++p)
        for (int64_t r = 0; r < rows; ++r) {
          const int64_t image = (first + r) / tiles.down, i = (first + r) % tiles.down;
          const float* const even = x.f32(step) + (image * conv.in + 2 * p) * conv.plane();
          const float* const odd = 2 * p + 1 < conv.in ? even + conv.plane() : even;
          float* to = inputs + p * stride + r * tiles.across;
          prefetchRow<0>(even + 2 * conv.plane(), i, conv.width);
          prefetchRow<0>(even + 3 * conv.plane(), i, conv.width);
          for (const InputTiles& chunk : inputChunks) {
            TransformedTiles d, other;
            if (sideBySide) {
              chunk.load({even, odd}, i, d);
              for (int e = 0; e < kElements; ++e) storePairsOfHalves(to + e * inputStride, d[e]);
              continue;
            }
            chunk.load({even, even}, i, d);
            chunk.load({odd, odd}, i, other);
            for (int e = 0; e < kElements; ++e) store(to + e * inputStride, pairs(d[e], other[e]));
            to += kLanes;
          }
        }
      for (int e = 0; e < kElements; ++e)
        std::fill(inputs + e * inputStride + pairsOfInputs * stride,
                  inputs + e * inputStride + depth * stride, 0.0f);
    };

    const auto multiplyOnTiles = [&](int64_t outs, int64_t out, const float* inputs,
                                     float* products) {
      const TileSession session;
      for (int e = 0; e < kElements; ++e)
        multiplyTiles(
            ceilDiv(outs, kTileSide), stride / kTileSide, depth / kTileSide,
            {transformed + panels.at(out, e), kTileSide, kTileFloats, panels.at(kTileSide, 0)},
            {inputs + e * inputStride, stride, kTileSide * stride, kTileSide},
            products + e * productStride, stride);
    };

    const auto multiply = [&](int64_t outs, int64_t out, const float* inputs, float* products) {
      for (int e = 0; e < kElements; ++e)
        for (int64_t o = 0; o < outs; o += kPanelOuts)
          for (int64_t t = 0; t < stride; t += kTileVectorsAtOnce * kLanes) {
            const int64_t vectors = std::min(kTileVectorsAtOnce, (stride - t) / kLanes);
            const int64_t last = (vectors - 1) * kLanes;
            kPairTiles[vectors - 1](
                {depth, transformed + panels.at(out + o, e), kPanelOuts,
                 inputs + e * inputStride + t, stride, last, last},
                {products + e * productStride + o * stride + t, stride, 1, 1, 0, nullptr, nullptr});
          }
    };

    const auto finish = [&](int64_t task, int64_t outs, int64_t out, const float* products) {
      const int64_t first = task * tiles.rows, rows = std::min(tiles.rows, tiles.total - first);
      const auto biasOf = [&](int64_t o) { return bias.id < 0 ? 0.0f : bias.f32(step)[o]; };
      for (int64_t o = 0; o < outs; o += sideBySide ? 2 : 1) {
        const int64_t other = sideBySide ? std::min(o + 1, outs - 1) : o;
        const vf biases = halves(splat(biasOf(out + o)), splat(biasOf(out + other)));
        for (int64_t r = 0; r < rows; ++r) {
          const int64_t image = (first + r) / tiles.down, i = (first + r) % tiles.down;
          const float* from = products + o * stride + r * tiles.across;
          float* const to = y.f32(step) + (image * conv.out + out) * conv.outPlane();
          const float* const next = to + (other + 1) * conv.outPlane();
          prefetchRow<1>(next, i, conv.outWidth());
          if (sideBySide) prefetchRow<1>(next + conv.outPlane(), i, conv.outWidth());
          for (const OutputTiles& chunk : outputChunks) {
            const auto at = [&](int e) {
              const float* const first = from + e * productStride;
              return sideBySide ? loadHalves(first, first + (other - o) * stride) : load(first);
            };
            chunk.store(at, biases, {to + o * conv.outPlane(), to + other * conv.outPlane()}, i);
            from += kLanes;
          }
        }
      }
    };

    if (parts > 1)
      step.pool.parallel(
          tasks, [&](int64_t task, int) { transform(task, allInputs + task * inputFloats); });
    step.pool.parallel(tasks * parts, [&](int64_t index, int thread) {
      const int64_t task = index / parts, part = index % parts;
      float* const inputs = allInputs + (parts > 1 ? task : thread) * inputFloats;
      float* const products = allProducts + thread * productFloats;
      if (parts == 1) transform(task, inputs);
      const int64_t end = std::min((part + 1) * groups / parts * kOutsWaiting, conv.out);
      for (int64_t out = part * groups / parts * kOutsWaiting; out < end; out += kOutsWaiting) {
        const int64_t outs = std::min(kOutsWaiting, conv.out - out);
        unit == PairUnit::tiles ? multiplyOnTiles(outs, out, inputs, products)
                                : multiply(outs, out, inputs, products);
        finish(task, outs, out, products);
      }
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
#endif
