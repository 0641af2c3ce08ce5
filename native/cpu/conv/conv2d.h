// What the three convolution kernels share: shapes, scratch, and how images are gathered for one
// product.
#pragma once

#include "cpu/base/chunks.h"
#include "cpu/base/integers.h"
#include "cpu/conv/unfold.h"
#include "cpu/gemm/products.h"

namespace flatmin {
namespace FLATMIN_ISA {

inline constexpr int64_t kTaskProducts = 1 << 19;    // multiplications worth a task of their own
inline constexpr int64_t kWantedTasks = 32;          // where the work can be cut into that many
inline constexpr int64_t kUnfoldedFloats = 1 << 16;  // of a piece: stays in the L2 cache
inline constexpr int64_t kProductWidth =
    64;  // positions of one product: images are joined up to it

// [0, size) in the fewest even parts of at most `most`: body(begin, count).
template <class Body>
static inline void forEvenParts(int64_t size, int64_t most, Body body) {
  const int64_t parts = ceilDiv(size, most);
  for (int64_t i = 0; i < parts; ++i) {
    const int64_t begin = i * size / parts;
    body(begin, (i + 1) * size / parts - begin);
  }
}

// x [images, groups * windows.channels, h, w] * weight [groups * out, channels, kh, kw].
struct Convolution {
  int64_t images, groups, out;
  Windows windows;

  Convolution(const Instruction& in, const Operand& x, const Operand& weight)
      : images(x.dim(0)), groups(in.integer("groups")), out(weight.dim(0) / groups) {
    const auto attr = [&](const char* name, size_t i) {
      return static_cast<int64_t>(in.list(name).at(i));
    };
    windows = {weight.dim(1),     x.dim(2),           x.dim(3),
               weight.dim(2),     weight.dim(3),      attr("stride", 0),
               attr("stride", 1), attr("padding", 0), attr("padding", 1)};
  }

  int64_t positions() const { return windows.positions(); }
  int64_t taps() const { return windows.taps(); }
  int64_t products() const { return images * groups * out * taps() * positions(); }
  // How many images a task takes, at least as many as are joined.
  int64_t imagesPerTask() const {
    const int64_t joined = kProductWidth / positions();
    const int64_t perImage = std::max<int64_t>(products() / images, 1);
    return std::clamp<int64_t>(std::max(joined, kTaskProducts / perImage), 1, images);
  }
  // Parts into which each of `tasks` tasks is cut where these are too few.
  int64_t partsOf(int64_t tasks, int64_t most) const {
    const int64_t wanted = std::min(kWantedTasks, products() / kTaskProducts);
    return std::clamp<int64_t>(wanted / tasks, 1, std::max<int64_t>(most, 1));
  }
  // Each image is one row of a matrix product over the whole batch.
  bool isProduct() const { return groups == 1 && windows.isWhole(); }
  // The part of x that a group of an image reads.
  int64_t inputAt(int64_t image, int64_t group) const {
    return (image * groups + group) * windows.channels * windows.height * windows.width;
  }
  int64_t outputAt(int64_t image, int64_t group) const {
    return (image * groups + group) * out * positions();
  }
};

// Output rows in pieces whose unfolded windows stay in the cache, of perPosition floats for each
// position; small images are one piece, and several are joined to one product.
struct Pieces {
  int64_t images;  // joined: more than one only if an image is one piece
  int64_t rows;    // output rows of a piece
  int64_t perImage;

  Pieces(const Windows& w, int64_t images, int64_t perPosition)
      : images(std::clamp<int64_t>(kProductWidth / w.positions(), 1, images)) {
    const int64_t width =
        std::max(kUnfoldedFloats / std::max<int64_t>(perPosition, 1), kProductWidth);
    perImage = ceilDiv(w.outHeight(), std::max<int64_t>(width / w.outWidth(), 1));
    rows = ceilDiv(w.outHeight(), perImage);
    perImage = ceilDiv(w.outHeight(), rows);
  }
  int64_t width(const Windows& w) const { return images * rows * w.outWidth(); }
};

// Σ of n floats, lane by lane.
static inline float sumRow(const float* x, int64_t n) {
  vf a = {}, b = {}, c = {}, d = {};
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    a += load(x + i), b += load(x + i + kLanes);
    c += load(x + i + 2 * kLanes), d += load(x + i + 3 * kLanes);
  }
  for (; i + kLanes <= n; i += kLanes) a += load(x + i);
  if (i < n) b += loadTail(x + i, n - i);
  return sumLanes((a + b) + (c + d));
}

// The sum of every channel of `images` images.
static inline void sumPlanes(const float* x, int64_t images, int64_t channels, int64_t plane,
                             float* sums, ThreadPool& pool) {
  pool.parallel(channels, [&](int64_t c, int) {
    float sum = 0;
    for (int64_t i = 0; i < images; ++i) sum += sumRow(x + (i * channels + c) * plane, plane);
    sums[c] = sum;
  });
}

// Adds `count` arrays, in order, to the first.
static inline void addPartials(float* partials, int64_t stride, int64_t count, int64_t size,
                               ThreadPool& pool) {
  forChunks(pool, size, [=](int64_t begin, int64_t end, int64_t) {
    for (int64_t part = 1; part < count; ++part)
      for (int64_t i = begin; i < end; ++i) partials[i] += partials[part * stride + i];
  });
}

// Hands out pieces of a task's scratch memory, 64-byte aligned.
class FloatScratch {
 public:
  explicit FloatScratch(float* begin) : next_(begin) {}
  static int64_t padded(int64_t floats) { return ceilDiv(floats, 16) * 16; }
  float* take(int64_t floats) {
    float* piece = next_;
    next_ += padded(floats);
    return piece;
  }

 private:
  float* next_;
};

// `rows` rows of `width` of each of `count` images, side by side in `joined`; and back.
static inline void joinImages(const float* images, int64_t imageStride, int64_t count, int64_t rows,
                              int64_t width, float* joined) {
  for (int64_t j = 0; j < count; ++j)
    copyRows(joined + j * width, count * width, images + j * imageStride, width, rows, width);
}
static inline void partImages(const float* joined, int64_t imageStride, int64_t count, int64_t rows,
                              int64_t width, float* images) {
  for (int64_t j = 0; j < count; ++j)
    copyRows(images + j * imageStride, width, joined + j * width, count * width, rows, width);
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
