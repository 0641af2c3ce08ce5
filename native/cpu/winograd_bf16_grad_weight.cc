#include "winograd_bf16.h"

#if defined(__AVX512F__)
#include "bf16_pairs.h"
#include "gemm_bf16.h"
#include "winograd_bf16_tiles.h"
#include "winograd_taps_back.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

constexpr int64_t kTransformed = 1 << 21;  // floats of the tiles held at a time, wanted,
constexpr int64_t kFewTiles = 1024;        // but enough of them to read and write the sums for

// The transformed tiles of some channels: element by element and channel by channel those of some
// images.
struct Channels {
  int64_t across, down;
  int64_t tiles;   // room for those of a channel and a vector more
  int64_t stride;  // between elements

  Channels(const WinogradConvolution& conv, int64_t images, int64_t channels)
      : across(ceilDiv(conv.outWidth(), 2)),
        down(ceilDiv(conv.outHeight(), 2)),
        tiles(ceilDiv(images * across * down + kLanes, 4 * kLanes) * 4 * kLanes),
        stride(channels * tiles + 2 * kLanes) {}

  int64_t floats() const { return kElements * stride / 2; }
  Matrix of(int e, const float* data) const { return {data + e * stride / 2, tiles / 2, 1}; }

  // load(image, chunk, row, transformed tiles) for all tiles of a channel; zeros behind them.
  template <class Load>
  void fill(int64_t channel, int64_t images, float* data, Load load) const {
    uint16_t* const first = reinterpret_cast<uint16_t*>(data) + channel * tiles;
    uint16_t* to = first;
    for (int64_t image = 0; image < images; ++image)
      for (int64_t i = 0; i < down; ++i, to += across)
        for (int64_t j = 0; j < across; j += kLanes) {
          TransformedTiles d;
          load(image, j / kLanes, i, d);
          for (int e = 0; e < kElements; ++e) storeNarrowed(to + e * stride + j, d[e]);
        }
    for (int e = 0; e < kElements; ++e)
      std::fill(to + e * stride, first + e * stride + tiles, uint16_t{0});
  }
};

}  // namespace

Run winogradBf16GradWeight(Instruction& instruction, const WinogradConvolution& conv, Operand x,
                           Operand dy, Operand dw, Operand db) {
  const int64_t own = conv.tilesOfImage(), weights = conv.out * conv.in;
  const int64_t perImage = kElements * own * (conv.in + conv.out) / 2;
  const int64_t images = std::clamp<int64_t>(
      std::max(kTransformed / perImage, ceilDiv(kFewTiles, own)), 1, conv.images);
  const Channels ins(conv, images, conv.in), outs(conv, images, conv.out);
  const auto inputChunks = chunksOf<InputTiles>(conv);
  const auto outputChunks = chunksOf<OutputTiles>(conv);

  const int64_t outParts = ceilDiv(conv.out, kOutsPerTask), part = ceilDiv(conv.out, outParts);
  const int64_t perThread = Scratch::padded(
      static_cast<int64_t>(gemmSerialScratchFloats({part, conv.in, ins.tiles / 2})));
  const int64_t sumFloats = Scratch::padded(kElements * weights);
  instruction.scratchBytes =
      (ins.floats() + outs.floats() + sumFloats + instruction.threads * perThread) *
      static_cast<int64_t>(sizeof(float));

  return [=](const Step& step) {
    float* const inputs = reinterpret_cast<float*>(step.scratch);
    float* const gradients = inputs + ins.floats();
    float* const sums = gradients + outs.floats();
    for (int64_t first = 0; first < conv.images; first += images) {
      const int64_t count = std::min(images, conv.images - first);
      step.pool.parallel(conv.in + conv.out, [&](int64_t task, int) {
        if (task < conv.in) {
          const float* const from = x.f32(step) + (first * conv.in + task) * conv.plane();
          return ins.fill(task, count, inputs,
                          [&](int64_t image, int64_t chunk, int64_t i, TransformedTiles& d) {
                            inputChunks[chunk].load(from + image * conv.in * conv.plane(), i, d);
                          });
        }
        const int64_t o = task - conv.in;
        const float* const from = dy.f32(step) + (first * conv.out + o) * conv.outPlane();
        outs.fill(
            o, count, gradients, [&](int64_t image, int64_t chunk, int64_t i, TransformedTiles& d) {
              outputChunks[chunk].loadGradient(from + image * conv.out * conv.outPlane(), i, d);
            });
      });
      step.pool.parallel(kElements * outParts, [&](int64_t task, int thread) {
        const int e = static_cast<int>(task / outParts);
        const int64_t o = task % outParts * part;
        GemmOut c{sums + e * weights + o * conv.in, conv.in};
        c.beta = first == 0 ? 0 : 1;
        gemmPairsSerial({std::min(part, conv.out - o), conv.in, ins.tiles / 2},
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
