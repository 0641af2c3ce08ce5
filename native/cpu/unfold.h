// The windows that a convolution slides over an image, as the columns of a matrix (im2col), and back (col2im).
#pragma once

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "simd.h"

namespace flatmin {
namespace FLATMIN_ISA {

// An image [channels, height, width] and the windows on it, one for each output position.
struct Windows {
  int64_t channels, height, width;
  int64_t kernelHeight, kernelWidth;
  int64_t strideY, strideX;
  int64_t padY, padX;

  int64_t paddedHeight() const { return height + 2 * padY; }
  int64_t paddedWidth() const { return width + 2 * padX; }
  int64_t outHeight() const { return (paddedHeight() - kernelHeight) / strideY + 1; }
  int64_t outWidth() const { return (paddedWidth() - kernelWidth) / strideX + 1; }
  int64_t positions() const { return outHeight() * outWidth(); }
  // Elements of a window: rows of the unfolded matrix, in the order channel, y, x.
  int64_t taps() const { return channels * kernelHeight * kernelWidth; }
  bool isPadded() const { return padY > 0 || padX > 0; }
  // Unfolding would give the image itself.
  bool isPointwise() const {
    return kernelHeight == 1 && kernelWidth == 1 && strideY == 1 && strideX == 1 && !isPadded();
  }
  // One window, which is the whole image.
  bool isWhole() const { return kernelHeight == height && kernelWidth == width && !isPadded(); }
  Windows withChannels(int64_t count) const {
    Windows part = *this;
    part.channels = count;
    return part;
  }
};

// Calls piece(offset, width) for pieces of [0, n) of constant width, widest first.
template <class Piece>
static inline void forPieces(int64_t n, Piece piece) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) piece(i, std::integral_constant<int, 16>());
  if (n & 8) piece(i, std::integral_constant<int, 8>()), i += 8;
  if (n & 4) piece(i, std::integral_constant<int, 4>()), i += 4;
  if (n & 2) piece(i, std::integral_constant<int, 2>()), i += 2;
  if (n & 1) piece(i, std::integral_constant<int, 1>());
}

static inline void copyRow(float* to, const float* from, int64_t n) {
  forPieces(n, [=](int64_t i, auto width) {
    std::memcpy(to + i, from + i, sizeof(float) * decltype(width)::value);
  });
}

static inline void addRow(float* to, const float* from, int64_t n) {
  forPieces(n, [=](int64_t i, auto width) {
    typedef float V __attribute__((vector_size(sizeof(float) * decltype(width)::value)));
    V a, b;
    std::memcpy(&a, to + i, sizeof a);
    std::memcpy(&b, from + i, sizeof b);
    a += b;
    std::memcpy(to + i, &a, sizeof a);
  });
}

static inline int64_t paddedFloats(const Windows& w) {
  return w.isPadded() ? w.channels * w.paddedHeight() * w.paddedWidth() : 0;
}

// The image with its border of zeros: in `scratch` (paddedFloats), or the image itself without padding.
static inline const float* padImage(const Windows& w, const float* x, float* scratch) {
  if (!w.isPadded()) return x;
  const int64_t width = w.paddedWidth(), plane = w.paddedHeight() * width;
  std::memset(scratch, 0, static_cast<size_t>(w.channels * plane) * sizeof(float));
  for (int64_t c = 0; c < w.channels; ++c)
    for (int64_t y = 0; y < w.height; ++y)
      copyRow(scratch + c * plane + (y + w.padY) * width + w.padX, x + (c * w.height + y) * w.width,
              w.width);
  return scratch;
}

// body(row, at) for every row of the unfolded matrix, that is channel and place in the window: `at` is
// what it holds of the padded image for output (firstRow, 0).
template <class Body>
static inline void forTaps(const Windows& w, int64_t firstRow, Body body) {
  const int64_t width = w.paddedWidth(), height = w.paddedHeight();
  int64_t row = 0;
  for (int64_t c = 0; c < w.channels; ++c)
    for (int64_t y = 0; y < w.kernelHeight; ++y)
      for (int64_t x = 0; x < w.kernelWidth; ++x)
        body(row++, (c * height + firstRow * w.strideY + y) * width + x);
}

// Columns for the output rows [firstRow, firstRow + rows): to[tap * ld + position], from a padded image.
static inline void unfold(const Windows& w, const float* padded, int64_t firstRow, int64_t rows,
                          float* to, int64_t ld) {
  const int64_t outWidth = w.outWidth(), stride = w.strideX, down = w.strideY * w.paddedWidth();
  forTaps(w, firstRow, [=](int64_t tap, int64_t at) {
    const float* from = padded + at;
    float* out = to + tap * ld;
    for (int64_t y = 0; y < rows; ++y, from += down, out += outWidth) {
      if (stride == 1)
        copyRow(out, from, outWidth);
      else
        for (int64_t x = 0; x < outWidth; ++x) out[x] = from[x * stride];
    }
  });
}

// The adjoint: adds columns back to where they were taken from.
static inline void fold(const Windows& w, const float* columns, int64_t ld, int64_t firstRow,
                        int64_t rows, float* padded) {
  const int64_t outWidth = w.outWidth(), stride = w.strideX, down = w.strideY * w.paddedWidth();
  forTaps(w, firstRow, [=](int64_t tap, int64_t at) {
    float* to = padded + at;
    const float* from = columns + tap * ld;
    for (int64_t y = 0; y < rows; ++y, to += down, from += outWidth) {
      if (stride == 1)
        addRow(to, from, outWidth);
      else
        for (int64_t x = 0; x < outWidth; ++x) to[x * stride] += from[x];
    }
  });
}

// Copies a padded image without its border.
static inline void cropImage(const Windows& w, const float* padded, float* x) {
  const int64_t width = w.paddedWidth(), plane = w.paddedHeight() * width;
  for (int64_t c = 0; c < w.channels; ++c)
    for (int64_t y = 0; y < w.height; ++y)
      copyRow(x + (c * w.height + y) * w.width, padded + c * plane + (y + w.padY) * width + w.padX,
              w.width);
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
