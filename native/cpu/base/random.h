// Random words for the CPU kernels, kWordsPerRound elements at a time; formulas/philox.h.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "cpu/base/kernels.h"
#include "cpu/base/lanewise.h"
#include "formulas/philox.h"

namespace flatmin {
namespace FLATMIN_ISA {

typedef uint64_t vq
    __attribute__((vector_size(kLanes * 4)));  // kLanes / 2 words in their low halves
inline constexpr int kBlocksPerVector = kLanes / 2;
inline constexpr int kVectorsPerRound = kLanes == 16 ? 4 : 2;
inline constexpr int kBlocksPerRound = kBlocksPerVector * kVectorsPerRound;
inline constexpr int kWordsPerRound = 4 * kBlocksPerRound;

// A compiler would multiply all 64 bits. (The unmasked AVX-512 form makes GCC 12 warn of its own
// header.)
static inline vq lowProduct(vq a, uint32_t b) {
#if defined(__AVX512F__)
  return (vq)_mm512_maskz_mul_epu32(0xff, (__m512i)a, _mm512_set1_epi64(b));
#elif defined(__AVX2__)
  return (vq)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x(b));
#elif defined(__x86_64__)
  return (vq)_mm_mul_epu32((__m128i)a, _mm_set1_epi64x(b));
#else
  return (a & 0xffffffffu) * b;
#endif
}

// first[2 l] ← the low word of even[l], first[2 l + 1] ← that of odd[l].
static inline vq pairWords(vq even, vq odd) {
#if defined(__AVX512F__)
  return (vq)_mm512_mask_moveldup_ps((__m512)even, 0xaaaa, (__m512)odd);
#else
  return (even & 0xffffffffu) | (odd << 32);
#endif
}

// The words of blocks in the order of their elements; lane l holds block blockOfLane(l).
static inline int blockOfLane(int l) { return l / 2 + l % 2 * (kBlocksPerVector / 2); }
static inline void inOrder(const vq (&w)[4], vu* out) {
  const vq low = pairWords(w[0], w[1]), high = pairWords(w[2], w[3]);
#if defined(__AVX512F__)
  out[0] = (vu)_mm512_maskz_unpacklo_epi64(0xff, (__m512i)low, (__m512i)high);
  out[1] = (vu)_mm512_maskz_unpackhi_epi64(0xff, (__m512i)low, (__m512i)high);
#else
  uint64_t pairs[2 * kBlocksPerVector];
  for (int l = 0; l < kBlocksPerVector; ++l) {
    pairs[2 * blockOfLane(l)] = low[l];
    pairs[2 * blockOfLane(l) + 1] = high[l];
  }
  std::memcpy(out, pairs, sizeof pairs);
#endif
}

// Words of the elements 4 · block … 4 · block + kWordsPerRound − 1.
using RandomWords = vu[kWordsPerRound / kLanes];
static inline __attribute__((always_inline)) void randomWords(const formulas::RandomSource& source,
                                                              uint64_t block, RandomWords& out) {
  static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the low word comes first");
  vq lanes;
  for (int l = 0; l < kBlocksPerVector; ++l) lanes[l] = static_cast<uint64_t>(blockOfLane(l));
  vq blocks[kVectorsPerRound], words[kVectorsPerRound][4];
  for (int n = 0; n < kVectorsPerRound; ++n)
    blocks[n] = lanes + (block + static_cast<uint64_t>(n * kBlocksPerVector));
  formulas::philox(blocks, source, words, lowProduct);
  for (int n = 0; n < kVectorsPerRound; ++n) inOrder(words[n], out + 2 * n);
}

// Normals of the same elements, two from each pair of words.
static inline void randomNormals(const formulas::RandomSource& source, uint64_t block, float* out) {
  RandomWords vectors;
  randomWords(source, block, vectors);
  uint32_t words[kWordsPerRound];
  std::memcpy(words, vectors, sizeof words);
  for (int i = 0; i < kWordsPerRound; i += 2 * kLanes) {
    vu a, b;
    for (int l = 0; l < kLanes; ++l) {
      a[l] = words[i + 2 * l];
      b[l] = words[i + 2 * l + 1];
    }
    vf even, odd;
    formulas::toNormals<vf, vu>(a, b, even, odd, sqrtOf);
    for (int l = 0; l < kLanes; ++l) {
      out[i + 2 * l] = even[l];
      out[i + 2 * l + 1] = odd[l];
    }
  }
}

// The source of an instruction with the attributes stream, seedSlot and stepSlot.
struct RandomSlots {
  uint32_t stream;
  int64_t seedSlot, stepSlot;

  explicit RandomSlots(const Instruction& in)
      : stream(static_cast<uint32_t>(in.integer("stream"))),
        seedSlot(in.integer("seedSlot")),
        stepSlot(in.integer("stepSlot")) {}

  formulas::RandomSource at(const Step& step) const {
    return {static_cast<uint64_t>(step.row[seedSlot]), stream,
            static_cast<uint32_t>(static_cast<int64_t>(step.row[stepSlot]))};
  }
};

}  // namespace FLATMIN_ISA
}  // namespace flatmin
