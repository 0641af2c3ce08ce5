// The windows that a convolution slides over an image, as the columns of a matrix (im2col), and
// back (col2im).
#pragma once

#include "cpu/base/pieces.h"

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

static inline int64_t paddedFloats(const Windows& w) {
  return w.isPadded() ? w.channels * w.paddedHeight() * w.paddedWidth() : 0;
}

static inline void clearImage(const Windows& w, float* padded) {
  const int64_t floats = w.channels * w.paddedHeight() * w.paddedWidth();
  std::memset(padded, 0, static_cast<size_t>(floats) * sizeof(float));
}

// The image with its border of zeros: in `scratch` (paddedFloats), or the image itself without
// padding.
static inline const float* padImage(const Windows& w, const float* x, float* scratch) {
  if (!w.isPadded()) return x;
  const int64_t width = w.paddedWidth(), plane = w.paddedHeight() * width;
  clearImage(w, scratch);
  for (int64_t c = 0; c < w.channels; ++c)
    copyRows(scratch + c * plane + w.padY * width + w.padX, width, x + c * w.height * w.width,
             w.width, w.height, w.width);
  return scratch;
}

// Copies a padded image without its border.
static inline void cropImage(const Windows& w, const float* padded, float* x) {
  const int64_t width = w.paddedWidth(), plane = w.paddedHeight() * width;
  for (int64_t c = 0; c < w.channels; ++c)
    copyRows(x + c * w.height * w.width, w.width, padded + c * plane + w.padY * width + w.padX,
             width, w.height, w.width);
}

// body(row, at) for every row of the unfolded matrix, that is channel and place in the window: `at`
// is what it holds of the padded image for output (firstRow, 0).
template <class Body>
static inline void forTaps(const Windows& w, int64_t firstRow, Body body) {
  const int64_t width = w.paddedWidth(), height = w.paddedHeight();
  int64_t row = 0;
  for (int64_t c = 0; c < w.channels; ++c)
    for (int64_t y = 0; y < w.kernelHeight; ++y)
      for (int64_t x = 0; x < w.kernelWidth; ++x)
        body(row++, (c * height + firstRow * w.strideY + y) * width + x);
}

// Columns for the output rows [firstRow, firstRow + rows): to[tap * ld + position], from a padded
// image.
static inline void unfold(const Windows& w, const float* padded, int64_t firstRow, int64_t rows,
                          float* to, int64_t ld) {
  const int64_t n = w.outWidth(), stride = w.strideX, down = w.strideY * w.paddedWidth();
  if (stride == 1) {
    withWidth(n, [&](auto width) {
      forTaps(w, firstRow, [=](int64_t tap, int64_t at) {
        for (int64_t y = 0; y < rows; ++y)
          copyRow<decltype(width)::value>(to + tap * ld + y * n, padded + at + y * down, n);
      });
    });
    return;
  }
  forTaps(w, firstRow, [=](int64_t tap, int64_t at) {
    for (int64_t y = 0; y < rows; ++y)
      for (int64_t x = 0; x < n; ++x) to[tap * ld + y * n + x] = padded[at + y * down + x * stride];
  });
}

// The adjoint: adds columns back to where they were taken from.
static inline void fold(const Windows& w, const float* columns, int64_t ld, int64_t firstRow,
                        int64_t rows, float* padded) {
  const int64_t n = w.outWidth(), stride = w.strideX, down = w.strideY * w.paddedWidth();
  if (stride == 1) {
    withWidth(n, [&](auto width) {
      forTaps(w, firstRow, [=](int64_t tap, int64_t at) {
        for (int64_t y = 0; y < rows; ++y)
          addRow<decltype(width)::value>(padded + at + y * down, columns + tap * ld + y * n, n);
      });
    });
    return;
  }
  forTaps(w, firstRow, [=](int64_t tap, int64_t at) {
    for (int64_t y = 0; y < rows; ++y)
      for (int64_t x = 0; x < n; ++x)
        padded[at + y * down + x * stride] += columns[tap * ld + y * n + x];
  });
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
