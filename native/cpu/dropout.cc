// dropout: y = x mask / (1 − p), the mask drawn from (seed, stream, step, element) and kept for the
// gradient, a bit an element.
#include "chunks.h"
#include "random.h"

namespace flatmin {
namespace FLATMIN_ISA {

static_assert(kChunk % kWordsPerRound == 0, "chunks begin with a block of random words");

// One bit for each lane of a comparison's result.
static uint32_t bitsOf(vi lanes) {
#if defined(__AVX512F__)
  return _mm512_movepi32_mask((__m512i)lanes);
#elif defined(__AVX2__)
  return static_cast<uint32_t>(_mm256_movemask_ps((__m256)lanes));
#else
  uint32_t bits = 0;
  for (int l = 0; l < kLanes; ++l) bits |= (lanes[l] & 1u) << l;
  return bits;
#endif
}

// `scale` in the lanes whose bit is set, 0 in the others.
static vf maskOf(uint32_t bits, float scale) {
  vi lane;
  for (int l = 0; l < kLanes; ++l) lane[l] = 1 << l;
  return ((vi{} + static_cast<int32_t>(bits)) & lane) != 0 ? splat(scale) : vf{};
}

// The bits of `lanes` elements from element `at` on, at % kLanes == 0.
static void putBits(uint8_t* kept, int64_t at, uint32_t bits, int64_t lanes) {
  if constexpr (kLanes < 8) {
    if (at % 8 != 0) bits = bits << 4 | kept[at / 8];
  }
  std::memcpy(kept + at / 8, &bits, static_cast<size_t>((lanes + 7) / 8));
}
static uint32_t getBits(const uint8_t* kept, int64_t at, int64_t lanes) {
  uint32_t bits = 0;
  std::memcpy(&bits, kept + at / 8, static_cast<size_t>((lanes + 7) / 8));
  return bits >> at % 8;
}

Run op_dropout(Instruction& in) {
  const Operand x = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  const Operand kept = in.outputs.at(1);
  const RandomSlots slots(in);
  const double p = in.number("p");
  const int32_t threshold = static_cast<int32_t>(formulas::uniformThreshold(p));
  const float scale = static_cast<float>(1 / (1 - p));
  return [=](const Step& step) {
    const formulas::RandomSource source = slots.at(step);
    forChunks(step.pool, y.size(), [&](int64_t begin, int64_t end, int64_t) {
      const float* const from = x.f32(step);
      float* const to = y.f32(step);
      uint8_t* const bits = kept.data<uint8_t>(step);
      // The mask of the vector that begins with element i.
      const auto draw = [&](const uint32_t* words, int64_t i, int64_t lanes) {
        vu w;
        std::memcpy(&w, words, sizeof w);
        const vi keeps = (vi)(w >> 8) >= threshold;
        putBits(bits, i, bitsOf(keeps) & ((1u << lanes) - 1), lanes);
        return keeps ? splat(scale) : vf{};
      };
      uint32_t words[kWordsPerRound];
      int64_t at = begin;
      for (; at + kWordsPerRound <= end; at += kWordsPerRound) {
        randomWords(source, static_cast<uint64_t>(at) / 4, words);
        for (int i = 0; i < kWordsPerRound; i += kLanes)
          store(to + at + i, load(from + at + i) * draw(words + i, at + i, kLanes));
      }
      if (at == end) return;
      randomWords(source, static_cast<uint64_t>(at) / 4, words);
      for (const uint32_t* w = words; at < end; at += kLanes, w += kLanes) {
        const int64_t n = std::min<int64_t>(kLanes, end - at);
        storeTail(to + at, loadTail(from + at, n) * draw(w, at, n), n);
      }
    });
  };
}

Run op_dropoutGrad(Instruction& in) {
  const Operand dy = in.inputs.at(0);
  const Operand kept = in.inputs.at(1);
  const Operand dx = in.outputs.at(0);
  const float scale = static_cast<float>(1 / (1 - in.number("p")));
  return [=](const Step& step) {
    forChunks(step.pool, dx.size(), [&](int64_t begin, int64_t end, int64_t) {
      const float* const from = dy.f32(step);
      const uint8_t* const bits = kept.data<uint8_t>(step);
      float* const to = dx.f32(step);
      int64_t at = begin;
      for (; at + kLanes <= end; at += kLanes)
        store(to + at, load(from + at) * maskOf(getBits(bits, at, kLanes), scale));
      if (at < end) {
        const int64_t n = end - at;
        storeTail(to + at, loadTail(from + at, n) * maskOf(getBits(bits, at, n), scale), n);
      }
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
