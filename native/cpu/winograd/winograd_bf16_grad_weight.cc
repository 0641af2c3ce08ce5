#include "cpu/winograd/winograd_bf16.h"

#if defined(__AVX512F__)
#include "cpu/base/bf16_pairs.h"
#include "cpu/gemm/gemm_bf16.h"
#include "cpu/gemm/products.h"
#include "cpu/winograd/winograd_bf16_tiles.h"
#include "cpu/winograd/winograd_taps_back.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

constexpr int64_t kTransformedBf16Grad = 1 << 20;  // floats of the tiles held at a time, wanted,
constexpr int64_t kFewTilesBf16Grad = 512;  // but enough of them to read and write the sums for
constexpr int64_t kRowsAhead = 8;           // of tiles: whose pixels are fetched
constexpr int64_t kOutsOfProduct = 256;

// The transformed tiles of some channels: element by element and channel by channel those of some
// images.
struct Channels {
  int64_t channels, across, down;
  int64_t tiles;   // room for those of a channel and a vector more
  int64_t stride;  // between elements
  bool sideBySide;

  Channels(const WinogradConvolution& conv, int64_t images, int64_t channels)
      : channels(channels),
        across(ceilDiv(conv.outWidth(), 2)),
        down(ceilDiv(conv.outHeight(), 2)),
        tiles(ceilDiv(images * across * down + kLanes, 2 * kLanes) * 2 * kLanes),
        stride(channels * tiles + 2 * kLanes),
        sideBySide(areSideBySide(conv)) {}

  int64_t floats() const { return kElements * stride / 2; }
  Matrix of(int e, const float* data) const { return {data + e * stride / 2, tiles / 2, 1}; }

  // A task takes one channel, or two.
  int64_t perTask() const { return sideBySide ? 2 : 1; }
  int64_t tasks() const { return ceilDiv(channels, perTask()); }

  // load(images, chunk, row, transformed tiles) for all tiles of a task; zeros behind them.
  template <class Load>
  void fill(int64_t task, int64_t images, const float* from, int64_t plane, int64_t width,
            float* data, Load load) const {
    const int64_t channel = task * perTask(), other = std::min(channel + perTask(), channels) - 1;
    uint16_t* const first = reinterpret_cast<uint16_t*>(data) + channel * tiles;
    const int64_t apart = (other - channel) * tiles;
    uint16_t* to = first;
    const int64_t ahead = ceilDiv(kRowsAhead, down);
    RowPair<const float> image{from + channel * plane, from + other * plane};
    for (int64_t n = 0; n < images; ++n, image = image.after(channels * plane))
      for (int64_t i = 0; i < down; ++i, to += across) {
        const auto later = image.after(ahead * channels * plane);
        prefetchRow<0>(later.first, i, width);
        if (sideBySide) prefetchRow<0>(later.second, i, width);
        for (int64_t j = 0; j < across; j += kLanes) {
          TransformedTiles d;
          load(image, j / kLanes, i, d);
          for (int e = 0; e < kElements; ++e) {
            uint16_t* const at = to + e * stride + j;
            sideBySide ? storeNarrowedApart(at, at + apart, d[e]) : storeNarrowed(at, d[e]);
          }
        }
      }
    for (int e = 0; e < kElements; ++e)
      for (int64_t of : {int64_t{0}, apart})
        std::fill(to + e * stride + of, first + e * stride + of + tiles, uint16_t{0});
  }
};

}  // namespace

Run winogradBf16GradWeight(Instruction& instruction, const WinogradConvolution& conv, Operand x,
                           Operand dy, Operand dw, Operand db) {
  const int64_t own = conv.tilesOfImage(), weights = conv.out * conv.in;
  const int64_t perImage = kElements * own * (conv.in + conv.out) / 2;
  const int64_t wanted =
      std::max({kTransformedBf16Grad / perImage, ceilDiv(kFewTilesBf16Grad, own), int64_t{1}});
  const int64_t images = ceilDiv(conv.images, ceilDiv(conv.images, wanted));
  const PairUnit unit = pairUnitOf(instruction);
  const Channels ins(conv, images, conv.in), outs(conv, images, conv.out);
  const auto inputChunks = chunksOf<InputTiles>(conv);
  const auto outputChunks = chunksOf<OutputTiles>(conv);

  const int64_t outParts = ceilDiv(conv.out, kOutsOfProduct), part = ceilDiv(conv.out, outParts);
  const int64_t perThread = FloatScratch::padded(
      static_cast<int64_t>(gemmPairsSerialScratchFloats(unit, {part, conv.in, ins.tiles / 2})));
  const int64_t sumFloats = FloatScratch::padded(kElements * weights);
  instruction.scratchBytes =
      (ins.floats() + outs.floats() + sumFloats + instruction.threads * perThread) *
      static_cast<int64_t>(sizeof(float));

  return [=](const Step& step) {
    float* const inputs = reinterpret_cast<float*>(step.scratch);
    float* const gradients = inputs + ins.floats();
    float* const sums = gradients + outs.floats();
    for (int64_t first = 0; first < conv.images; first += images) {
      const int64_t count = std::min(images, conv.images - first);
      step.pool.parallel(ins.tasks() + outs.tasks(), [&](int64_t task, int) {
        if (task < ins.tasks()) {
          return ins.fill(task, count, x.f32(step) + first * conv.in * conv.plane(), conv.plane(),
                          conv.width, inputs,
                          [&](auto image, int64_t chunk, int64_t i, TransformedTiles& d) {
                            inputChunks[chunk].load(image, i, d);
                          });
        }
        outs.fill(task - ins.tasks(), count, dy.f32(step) + first * conv.out * conv.outPlane(),
                  conv.outPlane(), conv.outWidth(), gradients,
                  [&](auto image, int64_t chunk, int64_t i, TransformedTiles& d) {
                    outputChunks[chunk].loadGradient(image, i, d);
                  });
      });
      const int64_t depth = ceilDiv(count * own, 2);
      step.pool.parallel(kElements * outParts, [&](int64_t task, int thread) {
        const int e = static_cast<int>(task / outParts);
        const int64_t o = task % outParts * part;
        GemmOut c{sums + e * weights + o * conv.in, conv.in};
        c.beta = first == 0 ? 0 : 1;
        gemmPairsSerial(unit, {std::min(part, conv.out - o), conv.in, depth},
                        outs.of(e, gradients).from(o, 0), ins.of(e, inputs).transposed(), c,
                        sums + sumFloats + thread * perThread);
      });
    }
    transformWeightBack(conv, sums, dw.f32(step), step.pool);
    if (db.id >= 0)
      sumPlanes(dy.f32(step), conv.images, conv.out, conv.outPlane(), db.f32(step), step.pool);
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
#endif
