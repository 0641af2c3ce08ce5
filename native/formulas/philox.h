// Philox4x32-10 (Salmon et al. 2011), equal to src/random/philox.ts to the bit: key = seed, counter
// = (element / 4 as two words, step, stream). A word stands in the low half of a 64-bit W, a scalar
// or a vector of them; what the upper halves of the results hold is left open.
#pragma once

#include <cstdint>

#include "elementary.h"

namespace flatmin {
namespace formulas {

struct RandomSource {
  uint64_t seed;
  uint32_t stream, step;
};

// Words of N blocks at a time, so that their multiplications overlap. product(W, uint32_t): the low
// half of each W times a word, in 64 bits.
template <int N, class W, class Product>
FLATMIN_FORMULA void philox(const W (&blocks)[N], const RandomSource& source, W (&words)[N][4],
                            Product product) {
  for (int n = 0; n < N; ++n) {
    words[n][0] = blocks[n];
    words[n][1] = blocks[n] >> 32;
    words[n][2] = W{} + source.step;
    words[n][3] = W{} + source.stream;
  }
  uint32_t k0 = static_cast<uint32_t>(source.seed);
  uint32_t k1 = static_cast<uint32_t>(source.seed >> 32);
  FLATMIN_UNROLL
  for (int round = 0; round < 10; ++round) {
    for (W(&w)[4] : words) {
      const W p0 = product(w[0], 0xd2511f53u);
      const W p1 = product(w[2], 0xcd9e8d57u);
      w[0] = (p1 >> 32) ^ w[1] ^ static_cast<uint64_t>(k0);
      w[1] = p1;
      w[2] = (p0 >> 32) ^ w[3] ^ static_cast<uint64_t>(k1);
      w[3] = p0;
    }
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
}

// The word of one element.
FLATMIN_FORMULA uint32_t randomWord(const RandomSource& source, uint64_t element) {
  const uint64_t blocks[] = {element / 4};
  uint64_t words[1][4];
  philox(blocks, source, words, [](uint64_t a, uint32_t b) {
    return static_cast<uint64_t>(static_cast<uint32_t>(a)) * b;
  });
  return static_cast<uint32_t>(words[0][element % 4]);
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

// A whole number below 2^24 as a float.
template <class F, class I>
FLATMIN_FORMULA F toFloat(I k) {
  const F high = bitCast<F, I>((k >> 12) | 0x4b000000u) - 8388608.0f;
  const F low = bitCast<F, I>((k & 0xfffu) | 0x4b000000u) - 8388608.0f;
  return high * 4096.0f + low;
}

// Two standard normals from two words (Box & Muller 1958): √(−2 ln u) times the cosine and the sine
// of 2πv with u = ((a >> 8) + 1)/2^24 and v = ((b >> 8) + ½)/2^24; within 3.5 ulp. F is float or a
// vector, I its words.
template <class F, class I, class Sqrt>
FLATMIN_FORMULA void toNormals(I a, I b, F& first, F& second, Sqrt sqrt) {
  const F u = (toFloat<F, I>(a >> 8) + 1.0f) * 5.9604644775390625e-8f;
  const F radius = sqrt(-2.0f * log<F, I>(u));
  // v = quarter/4 + the rest, |rest| <= 1/8, which is exact until it meets 2π.
  const I turned = (b >> 8) + (1u << 21);
  const I quarter = turned >> 22;
  const F x = (toFloat<F, I>(turned & 0x3fffffu) - 2097151.5f) * 3.74507028e-7f;  // 2π/2^24
  const F z = x * x;
  const F s = ((z * -1.9515295891e-4f + 8.3321608736e-3f) * z - 1.6666654611e-1f) * z * x + x;
  const F c =
      ((z * 2.443315711809948e-5f - 1.388731625493765e-3f) * z + 4.166664568298827e-2f) * z * z -
      0.5f * z + 1.0f;
  const F cosine = (quarter & 1u) != 0u ? s : c;
  const F sine = (quarter & 1u) != 0u ? c : s;
  // cos is negative in quarters 1 and 2, sin in 2 and 3.
  first = radius * bitCast<F, I>(bitCast<I, F>(cosine) ^ (((quarter + 1u) & 2u) << 30));
  second = radius * bitCast<F, I>(bitCast<I, F>(sine) ^ ((quarter & 2u) << 30));
}

}  // namespace formulas
}  // namespace flatmin
