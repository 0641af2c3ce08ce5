// sampleNormal: draws from N(mean, I) by (seed, stream, step, element).
#include "cpu/base/chunks.h"
#include "cpu/base/random.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

static_assert(kChunk % kWordsPerRound == 0, "chunks begin with a block of random words");

}  // namespace

Run op_sampleNormal(Instruction& in) {
  const Operand mean = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  const RandomSlots slots(in);
  return [=](const Step& step) {
    const formulas::RandomSource source = slots.at(step);
    forChunks(step.pool, y.size(), [&](int64_t begin, int64_t end, int64_t) {
      float z[kWordsPerRound];
      for (int64_t at = begin; at < end; at += kWordsPerRound) {
        randomNormals(source, static_cast<uint64_t>(at) / 4, z);
        const int64_t n = std::min<int64_t>(kWordsPerRound, end - at);
        for (int64_t l = 0; l < n; ++l) y.f32(step)[at + l] = mean.f32(step)[at + l] + z[l];
      }
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
