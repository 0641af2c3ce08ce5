// Transforms of winograd.h for a row of up to kLanes tiles in lanes, read from the image and
// written to it in place, on processors with AVX-512.
#pragma once

#if defined(__AVX512F__)
#include "transpose.h"
#include "winograd_tiles.h"

namespace flatmin {
namespace FLATMIN_ISA {

// Columns from `first` on, as far as they are in a row of `width`, zeros elsewhere.
class Columns {
 public:
  Columns(int64_t first, int64_t width) : first_(first) {
    for (int part = 0; part < 2; ++part) {
      const int64_t column = first + part * kLanes;
      const int64_t begin = std::clamp<int64_t>(-column, 0, kLanes);
      const int64_t end = std::clamp<int64_t>(width - column, 0, kLanes);
      masks_[part] = static_cast<__mmask16>(((1u << end) - 1) & ~((1u << begin) - 1));
    }
  }

  // Two vectors' columns of a row, those of even and of odd number apart.
  FLATMIN_INLINE void load(const float* row, vf& even, vf& odd) const {
    const __m512i evens =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odds = _mm512_add_epi32(evens, _mm512_set1_epi32(1));
    const __m512 a = _mm512_maskz_loadu_ps(masks_[0], row + first_);
    const __m512 b = _mm512_maskz_loadu_ps(masks_[1], row + first_ + kLanes);
    even = (vf)_mm512_permutex2var_ps(a, evens, b);
    odd = (vf)_mm512_permutex2var_ps(a, odds, b);
  }

  FLATMIN_INLINE void store(float* row, vf even, vf odd) const {
    const __m512i lower = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i upper = _mm512_add_epi32(lower, _mm512_set1_epi32(8));
    _mm512_mask_storeu_ps(row + first_, masks_[0],
                          _mm512_permutex2var_ps((__m512)even, lower, (__m512)odd));
    _mm512_mask_storeu_ps(row + first_ + kLanes, masks_[1],
                          _mm512_permutex2var_ps((__m512)even, upper, (__m512)odd));
  }

 private:
  int64_t first_;
  __mmask16 masks_[2];
};

using TransformedTiles = vf[kElements];

// Tiles j … of row i: Bᵀ d B.
class InputTiles {
 public:
  InputTiles(const WinogradConvolution& conv, int64_t j)
      : height_(conv.height),
        width_(conv.width),
        padY_(conv.padY),
        left_(2 * j - conv.padX, conv.width),
        right_(2 * j - conv.padX + 2, conv.width) {}

  FLATMIN_INLINE void load(const float* image, int64_t i, TransformedTiles& d) const {
    for (int r = 0; r < 4; ++r) {
      const int64_t y = 2 * i + r - padY_;
      vf* const row = d + 4 * r;
      if (y < 0 || y >= height_) {
        row[0] = row[1] = row[2] = row[3] = vf{};
        continue;
      }
      left_.load(image + y * width_, row[0], row[1]);
      right_.load(image + y * width_, row[2], row[3]);
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
      : height_(conv.outHeight()), width_(conv.outWidth()), columns_(2 * j, width_) {}

  FLATMIN_INLINE void store(const TransformedTiles& m, float bias, float* image, int64_t i) const {
    vf rows[2][4];
    for (int s = 0; s < 4; ++s) {
      rows[0][s] = m[s] + m[4 + s] + m[8 + s];
      rows[1][s] = m[4 + s] - m[8 + s] - m[12 + s];
    }
    for (int r = 0; r < 2 && 2 * i + r < height_; ++r) {
      const vf* const row = rows[r];
      columns_.store(image + (2 * i + r) * width_, row[0] + row[1] + row[2] + bias,
                     row[1] - row[2] - row[3] + bias);
    }
  }

  FLATMIN_INLINE void loadGradient(const float* image, int64_t i, TransformedTiles& m) const {
    vf top[2], bottom[2] = {};
    columns_.load(image + 2 * i * width_, top[0], top[1]);
    if (2 * i + 1 < height_) columns_.load(image + (2 * i + 1) * width_, bottom[0], bottom[1]);
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
