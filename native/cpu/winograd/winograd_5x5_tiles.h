// The tiles of winograd_5x5.h: how a batch is cut into rows of tiles, and their transforms. All
// arrays hold vectors, a lane for each image.
#pragma once

#include "cpu/winograd/winograd_5x5.h"

namespace flatmin {
namespace FLATMIN_ISA {

inline constexpr int kPoints = 6, kElements5x5 = kPoints * kPoints;  // of a transformed tile

// A task: rows of tiles of some images.
struct TileBand {
  int64_t image, images;
  int64_t row, rows;
};

// kLanes images and some rows of their tiles are a task.
struct TileBands {
  static constexpr int64_t kTasks = 8;  // wanted at least

  int64_t across, down;  // tiles of an image
  int64_t rows, perGroup;
  int64_t images;

  explicit TileBands(const Convolution& conv)
      : across(ceilDiv(conv.windows.outWidth(), 2)),
        down(ceilDiv(conv.windows.outHeight(), 2)),
        images(conv.images) {
    cut(kTasks);
  }
  void cut(int64_t wanted) {
    rows = ceilDiv(down, std::min(ceilDiv(wanted, ceilDiv(images, kLanes)), down));
    perGroup = ceilDiv(down, rows);
  }

  int64_t tasks() const { return ceilDiv(images, kLanes) * perGroup; }
  TileBand at(int64_t task) const {
    const int64_t image = task / perGroup * kLanes, row = task % perGroup * rows;
    return {image, std::min<int64_t>(kLanes, images - image), row, std::min(rows, down - row)};
  }
  int64_t columns() const { return 2 * across + 4; }  // of pixels, under a row of tiles
  int64_t columnFloats() const { return kPoints * columns() * kLanes; }
  int64_t pixelFloats() const { return (2 * rows + 4) * columns() * kLanes; }  // of a channel
  int64_t outputFloats() const { return 4 * rows * across * kLanes; }
};

// The points besides 0 and ∞ are ±kSmall and ±kLarge, whose product 1 keeps the constants few.
inline constexpr float kSmall = 2.0f / 3, kLarge = 1.5f;
inline constexpr float kSmallSquare = kSmall * kSmall, kLargeSquare = kLarge * kLarge;
inline constexpr float kSquares = kSmallSquare + kLargeSquare;

// d ← Bᵀ d
static inline void transformInput(vf (&d)[kPoints]) {
  const vf even1 = d[4] - kLargeSquare * d[2], odd1 = kSmall * d[3] - kLarge * d[1];
  const vf even2 = d[4] - kSmallSquare * d[2], odd2 = kLarge * d[3] - kSmall * d[1];
  d[0] += d[4] - kSquares * d[2];
  d[5] += d[1] - kSquares * d[3];
  d[1] = even1 + odd1;
  d[2] = even1 - odd1;
  d[3] = even2 + odd2;
  d[4] = even2 - odd2;
}

// d ← B d
static inline void transformInputBack(vf (&d)[kPoints]) {
  const vf sum1 = d[1] + d[2], difference1 = d[1] - d[2];
  const vf sum2 = d[3] + d[4], difference2 = d[3] - d[4];
  d[1] = d[5] - kLarge * difference1 - kSmall * difference2;
  d[2] = -kSquares * d[0] - kLargeSquare * sum1 - kSmallSquare * sum2;
  d[3] = kSmall * difference1 + kLarge * difference2 - kSquares * d[5];
  d[4] = d[0] + sum1 + sum2;
}

// Aᵀ m
static inline void transformOutput(const vf (&m)[kPoints], vf& first, vf& second) {
  first = m[0] + (m[1] + m[2]) + (m[3] + m[4]);
  second = kSmall * (m[1] - m[2]) + kLarge * (m[3] - m[4]) + m[5];
}

// A d of d = (first, second)
static inline void transformOutputBack(vf first, vf second, vf (&m)[kPoints]) {
  m[0] = first;
  m[1] = first + kSmall * second;
  m[2] = first - kSmall * second;
  m[3] = first + kLarge * second;
  m[4] = first - kLarge * second;
  m[5] = second;
}

// Bᵀ d B of a row of tiles: element e of tile j at to[e * elementStride + j], in vectors. columns:
// columnFloats.
static inline void transformInputs(const TileBands& tiles, const float* rows, int64_t pitch,
                                   float* columns, float* to, int64_t elementStride) {
  const int64_t width = tiles.columns();
  vf d[kPoints];
  for (int64_t x = 0; x < width; ++x) {
    for (int r = 0; r < kPoints; ++r) d[r] = load(rows + (r * pitch + x) * kLanes);
    transformInput(d);
    for (int r = 0; r < kPoints; ++r) store(columns + (r * width + x) * kLanes, d[r]);
  }
  for (int r = 0; r < kPoints; ++r)
    for (int64_t j = 0; j < tiles.across; ++j) {
      for (int s = 0; s < kPoints; ++s) d[s] = load(columns + (r * width + 2 * j + s) * kLanes);
      transformInput(d);
      for (int s = 0; s < kPoints; ++s)
        store(to + ((r * kPoints + s) * elementStride + j) * kLanes, d[s]);
    }
}

// The transpose of transformInputs in two parts: adds e Bᵀ of `count` tiles from `tile` on to
// columns, and B of a row's columns to six rows of pixels.
static inline void addTiles(const TileBands& tiles, const float* from, int64_t elementStride,
                            int64_t tile, int64_t count, float* columns) {
  vf d[kPoints];
  for (int r = 0; r < kPoints; ++r)
    for (int64_t j = 0; j < count; ++j) {
      for (int s = 0; s < kPoints; ++s)
        d[s] = load(from + ((r * kPoints + s) * elementStride + j) * kLanes);
      transformInputBack(d);
      float* const pixels = columns + (r * tiles.columns() + 2 * (tile + j)) * kLanes;
      for (int s = 0; s < kPoints; ++s)
        store(pixels + s * kLanes, load(pixels + s * kLanes) + d[s]);
    }
}
static inline void addColumns(const TileBands& tiles, const float* columns, float* rows) {
  const int64_t width = tiles.columns();
  vf d[kPoints];
  for (int64_t x = 0; x < width; ++x) {
    for (int r = 0; r < kPoints; ++r) d[r] = load(columns + (r * width + x) * kLanes);
    transformInputBack(d);
    for (int r = 0; r < kPoints; ++r) {
      float* const pixel = rows + (r * width + x) * kLanes;
      store(pixel, load(pixel) + d[r]);
    }
  }
}

// Aᵀ m A + bias of `count` tiles in a row: two rows of outputs, `pitch` vectors apart.
static inline void transformOutputs(const float* from, int64_t elementStride, int64_t count,
                                    float bias, float* rows, int64_t pitch) {
  for (int64_t j = 0; j < count; ++j) {
    vf m[kPoints], top[kPoints], bottom[kPoints], left, right;
    for (int s = 0; s < kPoints; ++s) {
      for (int r = 0; r < kPoints; ++r)
        m[r] = load(from + ((r * kPoints + s) * elementStride + j) * kLanes);
      transformOutput(m, top[s], bottom[s]);
    }
    transformOutput(top, left, right);
    store(rows + 2 * j * kLanes, left + bias);
    store(rows + (2 * j + 1) * kLanes, right + bias);
    transformOutput(bottom, left, right);
    store(rows + (pitch + 2 * j) * kLanes, left + bias);
    store(rows + (pitch + 2 * j + 1) * kLanes, right + bias);
  }
}

// A d Aᵀ of a row of tiles from two rows of gradients, 2 * across wide.
static inline void transformGradients(const TileBands& tiles, const float* rows, float* columns,
                                      float* to, int64_t elementStride) {
  const int64_t width = 2 * tiles.across;
  vf m[kPoints];
  for (int64_t x = 0; x < width; ++x) {
    transformOutputBack(load(rows + x * kLanes), load(rows + (width + x) * kLanes), m);
    for (int r = 0; r < kPoints; ++r) store(columns + (r * width + x) * kLanes, m[r]);
  }
  for (int r = 0; r < kPoints; ++r)
    for (int64_t j = 0; j < tiles.across; ++j) {
      const float* const pair = columns + (r * width + 2 * j) * kLanes;
      transformOutputBack(load(pair), load(pair + kLanes), m);
      for (int s = 0; s < kPoints; ++s)
        store(to + ((r * kPoints + s) * elementStride + j) * kLanes, m[s]);
    }
}

// Gradients of two rows of tiles' outputs in lanes, with zeros where tiles reach beyond.
static inline void gatherGradients(const TileBands& tiles, const Convolution& conv,
                                   const TileBand& band, const float* dy, int64_t o, float* to) {
  const int64_t width = conv.windows.outWidth(), pitch = 2 * tiles.across;
  const int64_t rows = std::min(2 * band.rows, conv.windows.outHeight() - 2 * band.row);
  if (width < pitch || rows < 2 * band.rows)
    std::fill(to, to + 2 * band.rows * pitch * kLanes, 0.0f);
  toLanes(dy + conv.outputAt(band.image, 0) + o * conv.positions() + 2 * band.row * width,
          conv.outputAt(1, 0), band.images, rows, width, to, pitch);
}

// Pixels of a channel under rows of tiles in lanes, with the padding around them, zeros beyond.
static inline void gatherInputs(const TileBands& tiles, const Convolution& conv,
                                const TileBand& band, const float* x, int64_t c, float* to) {
  const Windows& w = conv.windows;
  const int64_t rows = 2 * band.rows + 4, pitch = tiles.columns();
  const int64_t top = std::clamp<int64_t>(w.padY - 2 * band.row, 0, rows);
  const int64_t row = 2 * band.row + top - w.padY;
  const int64_t inside = std::clamp<int64_t>(w.height - row, 0, rows - top);
  if (inside < rows || w.width < pitch) std::fill(to, to + rows * pitch * kLanes, 0.0f);
  if (inside == 0) return;
  toLanes(x + conv.inputAt(band.image, 0) + (c * w.height + row) * w.width, conv.inputAt(1, 0),
          band.images, inside, w.width, to + (top * pitch + w.padX) * kLanes, pitch);
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
