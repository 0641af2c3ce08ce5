// The input tiles of winograd.h: gathered so that an element of all tiles is contiguous, and
// transformed.
#pragma once

#include <algorithm>

#include "cpu/conv/conv2d.h"
#include "cpu/winograd/winograd.h"

namespace flatmin {
namespace FLATMIN_ISA {

inline constexpr int64_t kOutsPerTask = 128;  // of a product over all tiles

// Floats between two elements of so many tiles: whole vectors, and an odd number of them, since
// strides of powers of two meet in the same lines of a cache.
static inline int64_t tileStride(int64_t tiles) { return (ceilDiv(tiles, kLanes) | 1) * kLanes; }

// Rows `first` … of an image with its border of zeros.
static inline void padRows(const WinogradConvolution& conv, const float* image, int64_t first,
                           int64_t rows, int64_t columns, float* to) {
  const int64_t right = std::max<int64_t>(columns - conv.padX - conv.width, 0);
  const int64_t width = columns - conv.padX - right;
  for (int64_t r = 0; r < rows; ++r, to += columns) {
    const int64_t y = first + r - conv.padY;
    if (y < 0 || y >= conv.height) {
      std::fill(to, to + columns, 0.0f);
      continue;
    }
    std::fill(to, to + conv.padX, 0.0f);
    std::copy_n(image + y * conv.width, width, to + conv.padX);
    std::fill(to + conv.padX + width, to + columns, 0.0f);
  }
}

// The 16 inputs of every tile, an element of all tiles after the other, from padded rows.
static inline void gatherTiles(const float* padded, int64_t columns, int64_t down, int64_t across,
                               float* to, int64_t stride) {
  for (int64_t i = 0; i < down; ++i, to += across)
    for (int r = 0; r < 4; ++r)
      for (int s = 0; s < 4; ++s) {
        const float* const from = padded + (2 * i + r) * columns + s;
        float* const element = to + (4 * r + s) * stride;
        for (int64_t j = 0; j < across; ++j) element[j] = from[2 * j];
      }
}

// The tiles of one channel of whole images, image by image; zeros up to the stride. padded:
// paddedFloats.
static inline void gatherChannel(const WinogradConvolution& conv, const float* x, int64_t images,
                                 float* to, int64_t stride, float* padded) {
  const int64_t across = ceilDiv(conv.outWidth(), 2), down = ceilDiv(conv.outHeight(), 2);
  std::fill(to, to + kElements * stride, 0.0f);
  for (int64_t i = 0; i < images; ++i) {
    padRows(conv, x + i * conv.in * conv.plane(), 0, 2 * down + 2, 2 * across + 2, padded);
    gatherTiles(padded, 2 * across + 2, down, across, to + i * across * down, stride);
  }
}

static inline void transformFour(vf& a, vf& b, vf& c, vf& d) {
  const vf first = a - c, second = b + c, third = c - b, fourth = b - d;
  a = first, b = second, c = third, d = fourth;
}

// Bᵀ d B of every tile.
static inline void transformInputs(const float* from, int64_t count, float* to, int64_t toStride) {
  for (int64_t t = 0; t < count; t += kLanes) {
    vf d[4][4];
    for (int e = 0; e < kElements; ++e) d[e / 4][e % 4] = load(from + e * count + t);
    for (int s = 0; s < 4; ++s) transformFour(d[0][s], d[1][s], d[2][s], d[3][s]);
    for (auto& row : d) transformFour(row[0], row[1], row[2], row[3]);
    for (int e = 0; e < kElements; ++e) store(to + e * toStride + t, d[e / 4][e % 4]);
  }
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
