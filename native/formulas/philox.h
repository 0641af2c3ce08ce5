// Philox4x32-10 (Salmon et al. 2011), equal to src/random/philox.ts to the bit: key = seed, counter
// = (element / 4 as two words, step, stream). A word stands in the low half of a 64-bit W, a scalar
// or a vector of them; what the upper halves of the results hold is left open.
#pragma once

#include <cstdint>

#include "host_device.h"

namespace flatmin {
namespace formulas {

struct RandomSource {
  uint64_t seed;
  uint32_t stream, step;
};

// product(W, uint32_t): the low half of each W times a word, in 64 bits.
template <class W, class Product>
FLATMIN_FORMULA void philox(W block, const RandomSource& source, W words[4], Product product) {
  W c0 = block;
  W c1 = block >> 32;
  W c2 = W{} + source.step;
  W c3 = W{} + source.stream;
  uint32_t k0 = static_cast<uint32_t>(source.seed);
  uint32_t k1 = static_cast<uint32_t>(source.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const W p0 = product(c0, 0xd2511f53u);
    const W p1 = product(c2, 0xcd9e8d57u);
    c0 = (p1 >> 32) ^ c1 ^ static_cast<uint64_t>(k0);
    c1 = p1;
    c2 = (p0 >> 32) ^ c3 ^ static_cast<uint64_t>(k1);
    c3 = p0;
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
  words[0] = c0;
  words[1] = c1;
  words[2] = c2;
  words[3] = c3;
}

// The word of one element.
FLATMIN_FORMULA uint32_t randomWord(const RandomSource& source, uint64_t element) {
  uint64_t words[4];
  philox(element / 4, source, words, [](uint64_t a, uint32_t b) {
    return static_cast<uint64_t>(static_cast<uint32_t>(a)) * b;
  });
  return static_cast<uint32_t>(words[element % 4]);
}

// In [0, 1), from the upper 24 bits.
FLATMIN_FORMULA float toUniform(uint32_t word) {
  return static_cast<float>(word >> 8) * 5.9604644775390625e-8f;
}

// toUniform(word) >= p exactly when word >> 8 >= threshold(p), 0 <= p <= 1.
FLATMIN_FORMULA uint32_t uniformThreshold(double p) {
  const double scaled = p * 16777216.0;
  const uint32_t whole = static_cast<uint32_t>(scaled);
  return whole + (whole < scaled ? 1u : 0u);
}

}  // namespace formulas
}  // namespace flatmin
