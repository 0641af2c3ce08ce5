#include "winograd_bf16.h"

#if defined(__AVX512F__)
#include "bf16_pairs.h"
#include "gemm_microkernel.h"
#include "winograd_bf16_tiles.h"
#include "winograd_weight.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

constexpr int64_t kPanel = 8;        // outputs of a microkernel
constexpr int64_t kOutsAtOnce = 32;  // whose products wait for their transform
constexpr int64_t kTileVectorsAtOnce = 3;
constexpr int64_t kCachedFloats = 196608;  // of a task

// Rows of tiles of the batch, image after image, in tasks of so many.
struct TileRows {
  int64_t across, down, total, rows;
  int64_t stride;  // tiles of a task in whole vectors

  explicit TileRows(const WinogradConvolution& conv)
      : across(ceilDiv(conv.outWidth(), 2)),
        down(ceilDiv(conv.outHeight(), 2)),
        total(conv.images * down) {
    const int64_t perTile = kElements * (ceilDiv(conv.in, 2) + kOutsAtOnce);
    const int64_t wanted = std::max<int64_t>(kCachedFloats / perTile, 3 * kLanes);
    rows = std::clamp<int64_t>(wanted / across, 1, total);
    rows = ceilDiv(total, ceilDiv(total, rows));
    stride = ceilDiv(rows * across, kLanes) * kLanes;
  }
  int64_t tasks() const { return ceilDiv(total, rows); }
};

// The transformed weight: of kPanel outputs side by side the pairs of inputs, element by element.
class Panels {
 public:
  Panels(const WinogradConvolution& conv, float* data)
      : conv_(conv), depth_(ceilDiv(conv.in, 2)), data_(data) {}

  static int64_t count(const WinogradConvolution& conv) { return ceilDiv(conv.out, kPanel); }
  static int64_t floats(const WinogradConvolution& conv) {
    return count(conv) * kElements * ceilDiv(conv.in, 2) * kPanel;
  }
  const float* of(int64_t panel, int e) const {
    return data_ + (panel * kElements + e) * depth_ * kPanel;
  }
  void fill(const float* weight, int64_t panel) const {
    float* const to = data_ + panel * kElements * depth_ * kPanel;
    for (int64_t p = 0; p < depth_; ++p) {
      float taps[9][kLanes] = {};  // in lanes: the two inputs of every output
      for (int l = 0; l < kLanes; ++l) {
        const int64_t o = panel * kPanel + l / 2, c = 2 * p + l % 2;
        if (o >= conv_.out || c >= conv_.in) continue;
        const float* const from = weight + o * conv_.outStride + c * conv_.inStride;
        for (int i = 0; i < 9; ++i) taps[conv_.flipped ? 8 - i : i][l] = from[i];
      }
      TransformedTiles transformed;
      transformTapsInLanes(taps, transformed);
      for (int e = 0; e < kElements; ++e)
        storeTail(to + (e * depth_ + p) * kPanel, neighbours(transformed[e], vf{}), kPanel);
    }
  }

 private:
  const WinogradConvolution& conv_;
  int64_t depth_;
  float* data_;
};

using Tile = void (*)(const TileOperands&, const Target&);
constexpr Tile kTiles[] = {tile<Pairs, kPanel, 1, true>, tile<Pairs, kPanel, 2, true>,
                           tile<Pairs, kPanel, 3, true>};

}  // namespace

Run winogradBf16(Instruction& instruction, const WinogradConvolution& conv, Operand x,
                 Operand weight, Operand bias, Operand y) {
  const TileRows tiles(conv);
  const auto inputChunks = chunksOf<InputTiles>(conv);
  const auto outputChunks = chunksOf<OutputTiles>(conv);
  const int64_t stride = tiles.stride, depth = ceilDiv(conv.in, 2);
  const int64_t inputStride = depth * stride + kLanes;  // odd, for the cache's sake; room for the
                                                        // last row's lanes
  const int64_t productStride = kOutsAtOnce * stride + kLanes;
  const int64_t perThread = kElements * (inputStride + productStride) + kLanes;
  const int64_t weightFloats = Scratch::padded(Panels::floats(conv));
  instruction.scratchBytes =
      (weightFloats + instruction.threads * perThread) * static_cast<int64_t>(sizeof(float));

  return [=](const Step& step) {
    float* const transformed = reinterpret_cast<float*>(step.scratch);
    const Panels panels(conv, transformed);
    step.pool.parallel(Panels::count(conv),
                       [&](int64_t panel, int) { panels.fill(weight.f32(step), panel); });

    step.pool.parallel(tiles.tasks(), [&](int64_t task, int thread) {
      float* const inputs = transformed + weightFloats + thread * perThread;
      float* const products = inputs + kElements * inputStride;
      const int64_t first = task * tiles.rows, rows = std::min(tiles.rows, tiles.total - first);

      // Vectors reach beyond a row of tiles, into the next, which is written after it.
      for (int64_t p = 0; p < depth; ++p)
        for (int64_t r = 0; r < rows; ++r) {
          const int64_t image = (first + r) / tiles.down, i = (first + r) % tiles.down;
          const float* const from = x.f32(step) + (image * conv.in + 2 * p) * conv.plane();
          float* to = inputs + p * stride + r * tiles.across;
          for (const InputTiles& chunk : inputChunks) {
            TransformedTiles even, odd = {};
            chunk.load(from, i, even);
            if (2 * p + 1 < conv.in) chunk.load(from + conv.plane(), i, odd);
            for (int e = 0; e < kElements; ++e) store(to + e * inputStride, pairs(even[e], odd[e]));
            to += kLanes;
          }
        }

      for (int64_t out = 0; out < conv.out; out += kOutsAtOnce) {
        const int64_t outs = std::min(kOutsAtOnce, conv.out - out);
        for (int e = 0; e < kElements; ++e)
          for (int64_t o = 0; o < outs; o += kPanel)
            for (int64_t t = 0; t < stride; t += kTileVectorsAtOnce * kLanes) {
              const int64_t vectors = std::min(kTileVectorsAtOnce, (stride - t) / kLanes);
              const int64_t last = (vectors - 1) * kLanes;
              kTiles[vectors - 1]({depth, panels.of((out + o) / kPanel, e), kPanel,
                                   inputs + e * inputStride + t, stride, last, last},
                                  {products + e * productStride + o * stride + t, stride, 1, 1, 0,
                                   nullptr, nullptr});
            }
        for (int64_t o = 0; o < outs; ++o)
          for (int64_t r = 0; r < rows; ++r) {
            const int64_t image = (first + r) / tiles.down, i = (first + r) % tiles.down;
            const float* from = products + o * stride + r * tiles.across;
            for (const OutputTiles& chunk : outputChunks) {
              TransformedTiles m;
              for (int e = 0; e < kElements; ++e) m[e] = load(from + e * productStride);
              chunk.store(m, bias.id < 0 ? 0.0f : bias.f32(step)[out + o],
                          y.f32(step) + (image * conv.out + out + o) * conv.outPlane(), i);
              from += kLanes;
            }
          }
      }
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
#endif
