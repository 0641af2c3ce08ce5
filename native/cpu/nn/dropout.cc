// dropout: y = x mask / (1 − p), the mask drawn from (seed, stream, step, element) and kept for the
// gradient, a bit an element.
#include "cpu/base/chunks.h"
#include "cpu/base/random.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

static_assert(kChunk % kWordsPerRound == 0, "chunks begin with a block of random words");

// A bit for each lane whose word is kept.
uint32_t keptBits(vu words, vu threshold) {
  const vu numerators = words >> 8;
#if defined(__AVX512F__)
  return _mm512_cmpge_epu32_mask((__m512i)numerators, (__m512i)threshold);
#elif defined(__AVX2__)
  return static_cast<uint32_t>(_mm256_movemask_ps((__m256)(numerators >= threshold)));
#else
  uint32_t bits = 0;
  for (int l = 0; l < kLanes; ++l) bits |= uint32_t{numerators[l] >= threshold[l]} << l;
  return bits;
#endif
}

// `scale` in the lanes whose bit is set, 0 in the others.
vf maskOf(uint32_t bits, vf scale) {
#if defined(__AVX512F__)
  return (vf)_mm512_maskz_mov_ps(static_cast<__mmask16>(bits), (__m512)scale);
#else
  vi lane;
  for (int l = 0; l < kLanes; ++l) lane[l] = 1 << l;
  return ((vi{} + static_cast<int32_t>(bits)) & lane) != 0 ? scale : vf{};
#endif
}

// The bits of `lanes` elements from element `at` on, at % kLanes == 0.
void putBits(uint8_t* kept, uint64_t at, uint32_t bits, int64_t lanes) {
  if constexpr (kLanes < 8) {
    if (at % 8 != 0) bits = bits << 4 | kept[at / 8];
  }
  std::memcpy(kept + at / 8, &bits, static_cast<size_t>((lanes + 7) / 8));
}
uint32_t getBits(const uint8_t* kept, uint64_t at, int64_t lanes) {
  uint32_t bits = 0;
  std::memcpy(&bits, kept + at / 8, static_cast<size_t>((lanes + 7) / 8));
  return bits >> at % 8;
}

}  // namespace

Run op_dropout(Instruction& in) {
  const Operand x = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  const Operand kept = in.outputs.at(1);
  const RandomSlots slots(in);
  const double p = in.number("p");
  const uint32_t threshold = formulas::uniformThreshold(p);
  const float scale = static_cast<float>(1 / (1 - p));
  return [=](const Step& step) {
    const formulas::RandomSource source = slots.at(step);
    forChunks(step.pool, y.size(), [&](int64_t begin, int64_t end, int64_t) {
      const float* const from = x.f32(step);
      float* const to = y.f32(step);
      uint8_t* const bits = kept.data<uint8_t>(step);
      const vu least = vu{} + threshold;
      const vf factor = splat(scale);
      // The mask of the vector that begins with element i.
      const auto draw = [=](vu words, int64_t i, int64_t lanes) __attribute__((always_inline)) {
        const uint32_t keeps = keptBits(words, least) & ((1u << lanes) - 1);
        putBits(bits, i, keeps, lanes);
        return maskOf(keeps, factor);
      };
      RandomWords words;
      int64_t at = begin;
      for (; at + kWordsPerRound <= end; at += kWordsPerRound) {
        randomWords(source, static_cast<uint64_t>(at) / 4, words);
        FLATMIN_UNROLL
        for (int i = 0; i < kWordsPerRound; i += kLanes)
          store(to + at + i, load(from + at + i) * draw(words[i / kLanes], at + i, kLanes));
      }
      if (at == end) return;
      randomWords(source, static_cast<uint64_t>(at) / 4, words);
      for (const vu* w = words; at < end; at += kLanes, ++w) {
        const int64_t n = std::min<int64_t>(kLanes, end - at);
        storeTail(to + at, loadTail(from + at, n) * draw(*w, at, n), n);
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
      const vf factor = splat(scale);
      int64_t at = begin;
      for (; at + kLanes <= end; at += kLanes)
        store(to + at, load(from + at) * maskOf(getBits(bits, at, kLanes), factor));
      if (at < end) {
        const int64_t n = end - at;
        storeTail(to + at, loadTail(from + at, n) * maskOf(getBits(bits, at, n), factor), n);
      }
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
