// Windows of images as the columns of a matrix (im2col) that is never written out.
#pragma once

#include "cuda/conv/windows.h"

namespace flatmin {
namespace cuda {

// The windows of x: taps by (image, position); outside the image they are 0.
struct Unfolded {
  const float* x;
  int64_t image;  // elements
  Windows w;
  bool alongK = false;

  __device__ float at(int64_t tap, int64_t column) const {
    const int64_t positions = w.positions(), position = column % positions;
    const int64_t c = tap / w.kernel(), k = tap % w.kernel();
    const int64_t y = position / w.outWidth * w.strideY - w.padY + k / w.kernelWidth;
    const int64_t xx = position % w.outWidth * w.strideX - w.padX + k % w.kernelWidth;
    if (y < 0 || y >= w.height || xx < 0 || xx >= w.width) return 0;
    return x[column / positions * image + (c * w.height + y) * w.width + xx];
  }
};

}  // namespace cuda
}  // namespace flatmin
