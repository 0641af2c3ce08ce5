// What the three convolution kernels share: shapes, scratch, and how images are gathered for one product.
#pragma once

#include "gemm.h"
#include "kernels.h"
#include "unfold.h"

namespace flatmin {
namespace FLATMIN_ISA {

inline constexpr int64_t kTaskProducts = 1 << 19;    // multiplications worth a task of their own
inline constexpr int64_t kWantedTasks = 32;          // where the work can be cut into that many
inline constexpr int64_t kUnfoldedFloats = 1 << 16;  // of a piece: stays in the L2 cache
inline constexpr int64_t kProductWidth = 64;         // positions of one product: images are joined up to it

static inline int64_t ceilDiv(int64_t x, int64_t y) { return (x + y - 1) / y; }

// x [images, groups * windows.channels, h, w] * weight [groups * out, channels, kh, kw].
struct Convolution {
  int64_t images, groups, out;
  Windows windows;

  Convolution(const Instruction& in, const Operand& x, const Operand& weight)
      : images(x.dim(0)), groups(in.integer("groups")), out(weight.dim(0) / groups) {
    const auto attr = [&](const char* name, size_t i) {
      return static_cast<int64_t>(in.list(name).at(i));
    };
    windows = {weight.dim(1),     x.dim(2),          x.dim(3),           weight.dim(2),
               weight.dim(3),     attr("stride", 0), attr("stride", 1),  attr("padding", 0),
               attr("padding", 1)};
  }

  int64_t positions() const { return windows.positions(); }
  int64_t taps() const { return windows.taps(); }
  int64_t imageProducts() const { return groups * out * taps() * positions(); }
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

// Output rows in pieces, so that `perPosition` floats for each position of a piece stay in the cache; where
// images are small, several are joined to one product instead.
struct Pieces {
  int64_t rows, perImage;  // output rows of a piece, and pieces of an image
  int64_t images;          // images joined: more than one only if perImage is one

  Pieces(const Windows& w, int64_t images, int64_t perPosition) {
    const int64_t most =
        std::max<int64_t>(kUnfoldedFloats / std::max<int64_t>(perPosition * w.outWidth(), 1), 1);
    perImage = ceilDiv(w.outHeight(), most);
    rows = ceilDiv(w.outHeight(), perImage);
    perImage = ceilDiv(w.outHeight(), rows);
    this->images = perImage > 1 ? 1 : std::clamp<int64_t>(kProductWidth / w.positions(), 1,
                                                          std::max<int64_t>(images, 1));
  }
  int64_t width(const Windows& w) const { return images * rows * w.outWidth(); }
};

// Hands out pieces of a task's scratch memory, 64-byte aligned.
class Scratch {
 public:
  explicit Scratch(float* begin) : next_(begin) {}
  static int64_t padded(int64_t floats) { return ceilDiv(floats, 16) * 16; }
  float* take(int64_t floats) {
    float* piece = next_;
    next_ += padded(floats);
    return piece;
  }

 private:
  float* next_;
};

// to[o * ld + j * width + i] = from[j][o * positions + i]: `count` images side by side, and back.
static inline void joinImages(const float* from, int64_t imageStride, int64_t count, int64_t rows,
                              int64_t width, float* to) {
  for (int64_t o = 0; o < rows; ++o)
    for (int64_t j = 0; j < count; ++j)
      copyRow(to + (o * count + j) * width, from + j * imageStride + o * width, width);
}
static inline void partImages(const float* from, int64_t imageStride, int64_t count, int64_t rows,
                              int64_t width, float* to) {
  for (int64_t o = 0; o < rows; ++o)
    for (int64_t j = 0; j < count; ++j)
      copyRow(to + j * imageStride + o * width, from + (o * count + j) * width, width);
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
