// How tensors begin: drawUniform, numbers by (seed, stream, step, element), and setDiagonal.
#include "cpu/base/chunks.h"
#include "cpu/base/random.h"
#include "formulas/packed.h"

namespace flatmin {
namespace FLATMIN_ISA {

static_assert(kChunk % kWordsPerRound == 0, "chunks begin with a block of random words");

Run op_drawUniform(Instruction& in) {
  const Operand x = in.inputs.at(0);
  const RandomSlots slots(in);
  const double bound = in.number("bound");
  return [=](const Step& step) {
    const formulas::RandomSource source = slots.at(step);
    forChunks(step.pool, x.size(), [&](int64_t begin, int64_t end, int64_t) {
      float* const to = x.f32(step);
      for (int64_t at = begin; at < end; at += kWordsPerRound) {
        RandomWords vectors;
        randomWords(source, static_cast<uint64_t>(at) / 4, vectors);
        int32_t words[kWordsPerRound];
        std::memcpy(words, vectors, sizeof words);
        const int64_t n = std::min<int64_t>(kWordsPerRound, end - at);
        // 2u - 1 is exact; the product is rounded once, as in JavaScript.
        for (int64_t l = 0; l < n; ++l) {
          const int32_t numerator = static_cast<int32_t>(static_cast<uint32_t>(words[l]) >> 8);
          to[at + l] = static_cast<float>((numerator * 0x1p-23 - 1) * bound);
        }
      }
    });
  };
}

Run op_setDiagonal(Instruction& in) {
  const Operand x = in.inputs.at(0);
  const float value = static_cast<float>(in.number("value"));
  const bool packed = in.integer("packed") != 0;
  const int64_t n = in.integer("n");
  const int64_t elements = packed ? formulas::packedSize(n) : n * n;
  return [=](const Step& step) {
    float* const to = x.f32(step);
    for (int64_t i = 0; i < x.size(); i += elements)
      for (int64_t k = 0; k < n; ++k) to[i + (packed ? k * (k + 3) / 2 : k * (n + 1))] = value;
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
