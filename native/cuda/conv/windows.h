// The windows that a convolution or a pooling slides over images [n, channels, height, width].
#pragma once

#include "cuda/base/launch.h"

namespace flatmin {
namespace cuda {

struct Windows {
  int64_t channels, height, width;
  int64_t kernelHeight, kernelWidth;
  int64_t strideY, strideX;
  int64_t padY, padX;
  int64_t outHeight, outWidth;

  Windows(const Instruction& in, int64_t channels, const Operand& x, int64_t kernelHeight,
          int64_t kernelWidth)
      : channels(channels),
        height(x.dim(2)),
        width(x.dim(3)),
        kernelHeight(kernelHeight),
        kernelWidth(kernelWidth),
        strideY(static_cast<int64_t>(in.list("stride").at(0))),
        strideX(static_cast<int64_t>(in.list("stride").at(1))),
        padY(static_cast<int64_t>(in.list("padding").at(0))),
        padX(static_cast<int64_t>(in.list("padding").at(1))),
        outHeight((height + 2 * padY - kernelHeight) / strideY + 1),
        outWidth((width + 2 * padX - kernelWidth) / strideX + 1) {}

  __host__ __device__ int64_t plane() const { return height * width; }
  __host__ __device__ int64_t positions() const { return outHeight * outWidth; }
  __host__ __device__ int64_t kernel() const { return kernelHeight * kernelWidth; }
  // Elements of a window, in the order channel, y, x.
  __host__ __device__ int64_t taps() const { return channels * kernel(); }
};

}  // namespace cuda
}  // namespace flatmin
