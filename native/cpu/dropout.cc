// dropout: y = x mask / (1 − p), the mask drawn anew from (seed, stream, step, element) in every
// pass.
#include "chunks.h"
#include "random.h"

namespace flatmin {
namespace FLATMIN_ISA {

static_assert(kChunk % kWordsPerRound == 0, "chunks begin with a block of random words");

Run op_dropout(Instruction& in) {
  const Operand x = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  const RandomSlots slots(in);
  const double p = in.number("p");
  const int32_t threshold = static_cast<int32_t>(formulas::uniformThreshold(p));
  const float scale = static_cast<float>(1 / (1 - p));
  return [=](const Step& step) {
    const formulas::RandomSource source = slots.at(step);
    const auto mask = [&](const uint32_t* words) {
      vu w;
      std::memcpy(&w, words, sizeof w);
      return (vi)(w >> 8) >= threshold ? splat(scale) : vf{};
    };
    forChunks(step.pool, y.size(), [&](int64_t begin, int64_t end, int64_t) {
      const float* const from = x.f32(step);
      float* const to = y.f32(step);
      uint32_t words[kWordsPerRound];
      int64_t at = begin;
      for (; at + kWordsPerRound <= end; at += kWordsPerRound) {
        randomWords(source, static_cast<uint64_t>(at) / 4, words);
        for (int i = 0; i < kWordsPerRound; i += kLanes)
          store(to + at + i, load(from + at + i) * mask(words + i));
      }
      if (at == end) return;
      randomWords(source, static_cast<uint64_t>(at) / 4, words);
      for (const uint32_t* w = words; at < end; at += kLanes, w += kLanes) {
        const int64_t n = std::min<int64_t>(kLanes, end - at);
        storeTail(to + at, loadTail(from + at, n) * mask(w), n);
      }
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
