// Σ āāᵀ over the windows ā of a convolution of stride 1, without unfolding: two places of a window
// that lie (δy, δx) apart see the products of the image and the image moved by (δy, δx), each over
// a rectangle of its own. These rectangles have all but their borders in common, so a product is
// formed once for each displacement, of which there are (2 Kh − 1)(2 Kw − 1), and not once for each
// pair of places, (Kh Kw)². Only sums, no differences: what is not finite stays in its windows.
#pragma once

#include "cpu/conv/conv2d.h"
#include "cpu/gemm/gemm.h"

namespace flatmin {
namespace FLATMIN_ISA {

// The images lie in the lanes of vectors (image_lanes.h).
class WindowGram {
 public:
  // With `bias` ā ends with a 1.
  WindowGram(const Windows& windows, bool bias);

  // Whether the shape is one it takes, and takes fewer operations so than by unfolding.
  bool pays() const;
  int64_t scratchFloats(int64_t examples, int threads) const;
  // out ← alpha Σ āāᵀ + beta out, packed (lower.h); out.ld is of no account. From one image to the
  // next it is `stride`.
  void add(const float* images, int64_t stride, int64_t examples, GemmOut out, float* scratch,
           ThreadPool& pool) const;

 private:
  // Two channels and how far apart their rows are: channel <= other.
  struct Pair {
    int64_t channel, other, down;
  };
  void products(const Pair& pair, const float* lanes, int64_t groups, float* scratch,
                const GemmOut& out) const;
  void sums(int64_t channel, const float* lanes, int64_t groups, float* scratch,
            const GemmOut& out) const;
  int64_t planeFloats() const { return windows_.paddedHeight() * windows_.paddedWidth() * kLanes; }
  int64_t floatsPerThread() const;

  Windows windows_;
  bool bias_;
  std::vector<Pair> pairs_;
};

}  // namespace FLATMIN_ISA
}  // namespace flatmin
