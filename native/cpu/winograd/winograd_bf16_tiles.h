// Transforms of winograd.h for a row of up to kLanes tiles in lanes, read from the image and
// written to it in place, on processors with AVX-512. Of rows of half as many tiles, those of two
// images lie side by side.
#pragma once

#if defined(__AVX512F__)
#include "cpu/base/transpose.h"
#include "cpu/winograd/winograd_tiles.h"

namespace flatmin {
namespace FLATMIN_ISA {

static inline bool areSideBySide(const WinogradConvolution& conv) {
  return conv.outWidth() <= kLanes;
}

// A row of an image, and where its second half of lanes comes from: itself, or a row beside it.
template <class T>
struct RowPair {
  T *first, *second;
  RowPair after(int64_t offset) const { return {first + offset, second + offset}; }
};

// Columns from `first` on, as far as they are in a row of `width`, zeros elsewhere.
class Columns {
 public:
  Columns(int64_t first, int64_t width, bool sideBySide) : first_(first) {
    second_ = sideBySide ? first : first + kLanes;
    firstMask_ = inside(first_, width);
    secondMask_ = inside(second_, width);
  }

  // Those of even and of odd number apart.
  FLATMIN_INLINE void load(RowPair<const float> row, vf& even, vf& odd) const {
    const __m512i evens =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odds = _mm512_add_epi32(evens, _mm512_set1_epi32(1));
    const __m512 a = _mm512_maskz_loadu_ps(firstMask_, row.first + first_);
    const __m512 b = _mm512_maskz_loadu_ps(secondMask_, row.second + second_);
    even = (vf)_mm512_permutex2var_ps(a, evens, b);
    odd = (vf)_mm512_permutex2var_ps(a, odds, b);
  }

  FLATMIN_INLINE void store(RowPair<float> row, vf even, vf odd) const {
    const __m512i lower = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i upper = _mm512_add_epi32(lower, _mm512_set1_epi32(8));
    _mm512_mask_storeu_ps(row.first + first_, firstMask_,
                          _mm512_permutex2var_ps((__m512)even, lower, (__m512)odd));
    _mm512_mask_storeu_ps(row.second + second_, secondMask_,
                          _mm512_permutex2var_ps((__m512)even, upper, (__m512)odd));
  }

 private:
  static __mmask16 inside(int64_t column, int64_t width) {
    const int64_t begin = std::clamp<int64_t>(-column, 0, kLanes);
    const int64_t end = std::clamp<int64_t>(width - column, 0, kLanes);
    return static_cast<__mmask16>(((1u << end) - 1) & ~((1u << begin) - 1));
  }

  int64_t first_, second_;
  __mmask16 firstMask_, secondMask_;
};

using TransformedTiles = vf[kElements];

// Tiles j … of row i: Bᵀ d B.
class InputTiles {
 public:
  InputTiles(const WinogradConvolution& conv, int64_t j)
      : height_(conv.height),
        width_(conv.width),
        padY_(conv.padY),
        left_(2 * j - conv.padX, conv.width, areSideBySide(conv)),
        right_(2 * j - conv.padX + 2, conv.width, areSideBySide(conv)) {}

  FLATMIN_INLINE void load(RowPair<const float> image, int64_t i, TransformedTiles& d) const {
    for (int r = 0; r < 4; ++r) {
      const int64_t y = 2 * i + r - padY_;
      vf* const row = d + 4 * r;
      if (y < 0 || y >= height_) {
        row[0] = row[1] = row[2] = row[3] = vf{};
        continue;
      }
      left_.load(image.after(y * width_), row[0], row[1]);
      right_.load(image.after(y * width_), row[2], row[3]);
      transformFour(row[0], row[1], row[2], row[3]);
    }
    for (int s = 0; s < 4; ++s) transformFour(d[s], d[4 + s], d[8 + s], d[12 + s]);
  }

 private:
  int64_t height_, width_, padY_;
  Columns left_, right_;
};

// Tiles j … of row i of an output: Aᵀ m A + bias to it, or A dy Aᵀ of its gradient.
class OutputTiles {
 public:
  OutputTiles(const WinogradConvolution& conv, int64_t j)
      : height_(conv.outHeight()),
        width_(conv.outWidth()),
        columns_(2 * j, width_, areSideBySide(conv)) {}

  // at(e) is element e of m.
  template <class At>
  FLATMIN_INLINE void store(At at, vf bias, RowPair<float> image, int64_t i) const {
    vf rows[2][4];
    for (int s = 0; s < 4; ++s) {
      const vf second = at(4 + s), third = at(8 + s);
      rows[0][s] = at(s) + second + third;
      rows[1][s] = second - third - at(12 + s);
    }
    for (int r = 0; r < 2 && 2 * i + r < height_; ++r) {
      const vf* const row = rows[r];
      columns_.store(image.after((2 * i + r) * width_), row[0] + row[1] + row[2] + bias,
                     row[1] - row[2] - row[3] + bias);
    }
  }

  FLATMIN_INLINE void loadGradient(RowPair<const float> image, int64_t i,
                                   TransformedTiles& m) const {
    vf top[2], bottom[2] = {};
    columns_.load(image.after(2 * i * width_), top[0], top[1]);
    if (2 * i + 1 < height_) columns_.load(image.after((2 * i + 1) * width_), bottom[0], bottom[1]);
    const vf left[4] = {top[0], top[0] + bottom[0], top[0] - bottom[0], -bottom[0]};
    const vf right[4] = {top[1], top[1] + bottom[1], top[1] - bottom[1], -bottom[1]};
    for (int r = 0; r < 4; ++r) {
      m[4 * r] = left[r];
      m[4 * r + 1] = left[r] + right[r];
      m[4 * r + 2] = left[r] - right[r];
      m[4 * r + 3] = -right[r];
    }
  }

 private:
  int64_t height_, width_;
  Columns columns_;
};

// Lanes of the first half, and of the second.
static inline vf halves(vf first, vf second) {
  return (vf)_mm512_mask_blend_ps(0xff00, (__m512)first, (__m512)second);
}
static inline vf loadHalves(const float* first, const float* second) {
  return (vf)_mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(first)),
                                _mm256_loadu_ps(second), 1);
}

// Fetches what tiles of row i add to those above them; the hardware does not foresee the next
// plane.
template <int kWrite>
FLATMIN_INLINE void prefetchRow(const float* plane, int64_t i, int64_t width) {
  const float* const row = plane + 2 * i * width;
  for (int64_t column = 0; column < 2 * width; column += kLanes)
    __builtin_prefetch(row + column, kWrite);
}

// For a whole row.
template <class Tiles>
static inline std::vector<Tiles> chunksOf(const WinogradConvolution& conv) {
  std::vector<Tiles> chunks;
  for (int64_t j = 0; 2 * j < conv.outWidth(); j += kLanes) chunks.emplace_back(conv, j);
  return chunks;
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
#endif
