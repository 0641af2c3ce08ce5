// The random source of an instruction with the attributes stream, seedSlot and stepSlot, on the
// device.
#pragma once

#include "cuda/base/launch.h"
#include "formulas/philox.h"

namespace flatmin {
namespace cuda {

struct RandomSlots {
  uint32_t stream;
  int64_t seedSlot, stepSlot;

  explicit RandomSlots(const Instruction& in)
      : stream(static_cast<uint32_t>(in.integer("stream"))),
        seedSlot(in.integer("seedSlot")),
        stepSlot(in.integer("stepSlot")) {}

  __device__ formulas::RandomSource at(const double* row) const {
    return {static_cast<uint64_t>(row[seedSlot]), stream,
            static_cast<uint32_t>(static_cast<int64_t>(row[stepSlot]))};
  }
};

struct LowProduct {
  __device__ uint64_t operator()(uint64_t a, uint32_t b) const {
    return static_cast<uint64_t>(static_cast<uint32_t>(a)) * b;
  }
};

// The words of the elements 4 · block … 4 · block + 3.
__device__ inline uint4 randomBlock(const formulas::RandomSource& source, uint64_t block) {
  const uint64_t blocks[] = {block};
  uint64_t words[1][4];
  formulas::philox(blocks, source, words, LowProduct{});
  const auto word = [&](int i) { return static_cast<uint32_t>(words[0][i]); };
  return {word(0), word(1), word(2), word(3)};
}

}  // namespace cuda
}  // namespace flatmin
