// The transformed weight of winograd_bf16.h.
#pragma once

#if defined(__AVX512F__)
#include "cpu/base/bf16_pairs.h"
#include "cpu/gemm/gemm_tiles.h"
#include "cpu/winograd/winograd_bf16_tiles.h"
#include "cpu/winograd/winograd_weight.h"
#include "program/host.h"

namespace flatmin {
namespace FLATMIN_ISA {

inline constexpr int64_t kPanelOuts = 8;  // of vectors: the rows of a microkernel

// The transformed weight in panels of some outputs, element by element: their pairs of inputs, a
// pair of all outputs after another, or in tiles, each output's pairs in a row.
class WeightPanels {
 public:
  WeightPanels(const WinogradConvolution& conv, PairUnit unit)
      : conv_(conv),
        tiled_(unit == PairUnit::tiles),
        depth_(ceilDiv(conv.in, 2)),
        outs_(tiled_ ? kTileSide : kPanelOuts) {
    if (tiled_) depth_ = ceilDiv(depth_, kTileSide) * kTileSide;
  }

  // Pairs of an element, zeros behind those of the inputs.
  int64_t depth() const { return depth_; }
  int64_t count() const { return ceilDiv(conv_.out, outs_); }
  int64_t floats() const { return count() * kElements * depth_ * outs_; }
  int64_t at(int64_t out, int e) const { return (out / outs_ * kElements + e) * depth_ * outs_; }

  void fill(const float* weight, int64_t panel, float* data) const {
    float* const to = data + at(panel * outs_, 0);
    tiled_ ? fillTiles(weight, panel * outs_, to) : fillColumns(weight, panel * outs_, to);
  }

 private:
  void fillColumns(const float* weight, int64_t out, float* to) const {
    for (int64_t p = 0; p < depth_; p += 2) {
      TransformedTiles first, second;
      const auto columns = [&](int64_t pair) {
        return [=](int l) { return Tap{out + l / 2, 2 * pair + l % 2}; };
      };
      transform(weight, columns(p), first);
      transform(weight, columns(p + 1), second);
      const int64_t floats = std::min<int64_t>(depth_ - p, 2) * kPanelOuts;
      for (int e = 0; e < kElements; ++e)
        storeTail(to + (e * depth_ + p) * kPanelOuts, neighbours(first[e], second[e]), floats);
    }
  }

  void fillTiles(const float* weight, int64_t out, float* to) const {
    for (int64_t p = 0; p < depth_; p += kTileSide)
      for (int64_t row = 0; row < kTileSide; ++row) {
        TransformedTiles first, second;
        const auto inputs = [&](int64_t in) {
          return [=](int l) { return Tap{out + row, in + l}; };
        };
        transform(weight, inputs(2 * p), first);
        transform(weight, inputs(2 * p + kLanes), second);
        for (int e = 0; e < kElements; ++e)
          store(to + (e * depth_ + p + row) * kTileSide, neighbours(first[e], second[e]));
      }
  }

  static constexpr int64_t kInputsAhead = 8;  // whose weights are fetched

  struct Tap {
    int64_t out, in;
  };
  // In lanes: the taps that tapOf(lane) names, zeros where there are none.
  template <class TapOf>
  void transform(const float* weight, TapOf tapOf, TransformedTiles& to) const {
    float taps[9][kLanes] = {};
    for (int l = 0; l < kLanes; ++l) {
      const Tap tap = tapOf(l);
      if (tap.out >= conv_.out || tap.in >= conv_.in) continue;
      const float* const from = weight + tap.out * conv_.outStride + tap.in * conv_.inStride;
      __builtin_prefetch(from + kInputsAhead * conv_.inStride);
      for (int i = 0; i < 9; ++i) taps[conv_.flipped ? 8 - i : i][l] = from[i];
    }
    transformTapsInLanes(taps, to);
  }

  WinogradConvolution conv_;
  bool tiled_;
  int64_t depth_, outs_;
};

}  // namespace FLATMIN_ISA
}  // namespace flatmin
#endif
