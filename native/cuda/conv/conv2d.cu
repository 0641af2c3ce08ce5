// conv2d: y = w * x + b of images [n, c, h, w], and its gradients, as products with windows that
// are read where they stand (implicit GEMM). A product to each group of channels.
#include "cuda/base/block.h"
#include "cuda/base/kernels.h"
#include "cuda/conv/unfold.h"
#include "cuda/gemm/gemm.h"

namespace flatmin {
namespace cuda {

namespace {

// x [images, groups · windows.channels, h, w] * weight [groups · out, channels, kh, kw].
struct Convolution {
  int64_t images, groups, out;
  Windows windows;

  Convolution(const Instruction& in, const Operand& x, const Operand& weight)
      : images(x.dim(0)),
        groups(in.integer("groups")),
        out(weight.dim(0) / groups),
        windows(in, weight.dim(1), x, weight.dim(2), weight.dim(3)) {}

  int64_t inputs() const { return windows.channels * windows.plane(); }  // of a group of an image
  int64_t outputs() const { return out * windows.positions(); }
};

// One group of an image tensor as [rows within an image, (image, element of a plane)] and back.
struct Planes {
  float* data;
  int64_t image, plane;  // elements

  __device__ float* at(int64_t channel, int64_t column) const {
    return data + column / plane * image + channel * plane + column % plane;
  }
};

// y of a group, with its bias: rows are output channels.
struct OutPlanes {
  Planes planes;
  const float* bias;

  __device__ void put(int64_t i, int64_t j, float value) const {
    *planes.at(i, j) = bias ? value + bias[i] : value;
  }
};

}  // namespace

Run op_conv2d(Instruction& in) {
  const Operand x = in.inputs.at(0), weight = in.inputs.at(1), y = in.outputs.at(0);
  const Operand bias = in.inputs.size() > 2 ? in.inputs[2] : Operand{};
  const Convolution conv(in, x, weight);
  const Windows w = conv.windows;
  if (y.size() == 0) return [](const Step&) {};
  const GemmShape shape(conv.out, conv.images * w.positions(), w.taps());
  const Rounding rounding = roundingOf(in);
  in.scratchBytes = shape.scratchBytes();
  return [=](const Step& step) {
    for (int64_t g = 0; g < conv.groups; ++g) {
      const Planes to{y.f32(step) + g * conv.outputs(), conv.groups * conv.outputs(),
                      w.positions()};
      gemm(shape, rounding, leftMatrix(weight.f32(step) + g * conv.out * w.taps(), w.taps(), 1),
           Unfolded{x.f32(step) + g * conv.inputs(), conv.groups * conv.inputs(), w},
           OutPlanes{to, bias.id < 0 ? nullptr : bias.f32(step) + g * conv.out}, step.scratch,
           step.stream);
    }
  };
}

namespace {

// The weight of a group as channels by (output channel, y, x).
struct WeightByInput {
  const float* weight;
  int64_t taps, kernel;
  bool alongK = true;

  __device__ float at(int64_t channel, int64_t k) const {
    return weight[k / kernel * taps + channel * kernel + k % kernel];
  }
};

// What each pixel has added to, as (output channel, y, x) of its windows by (image, pixel).
struct Reached {
  const float* dy;
  int64_t image;  // elements
  Windows w;
  bool alongK = false;

  __device__ float at(int64_t k, int64_t column) const {
    const int64_t pixel = column % w.plane(), tap = k % w.kernel();
    const int64_t top = pixel / w.width + w.padY - tap / w.kernelWidth;
    const int64_t left = pixel % w.width + w.padX - tap % w.kernelWidth;
    if (top < 0 || left < 0 || top % w.strideY != 0 || left % w.strideX != 0) return 0;
    const int64_t oy = top / w.strideY, ox = left / w.strideX;
    if (oy >= w.outHeight || ox >= w.outWidth) return 0;
    const int64_t out = k / w.kernel();
    return dy[column / w.plane() * image + (out * w.outHeight + oy) * w.outWidth + ox];
  }
};

}  // namespace

Run op_conv2dGradInput(Instruction& in) {
  const Operand dy = in.inputs.at(0), weight = in.inputs.at(1), dx = in.outputs.at(0);
  const Convolution conv(in, dx, weight);
  const Windows w = conv.windows;
  if (dx.size() == 0) return [](const Step&) {};
  const GemmShape shape(w.channels, conv.images * w.plane(), conv.out * w.kernel());
  const Rounding rounding = roundingOf(in);
  in.scratchBytes = shape.scratchBytes();
  return [=](const Step& step) {
    for (int64_t g = 0; g < conv.groups; ++g) {
      const Planes to{dx.f32(step) + g * conv.inputs(), conv.groups * conv.inputs(), w.plane()};
      gemm(shape, rounding,
           WeightByInput{weight.f32(step) + g * conv.out * w.taps(), w.taps(), w.kernel()},
           Reached{dy.f32(step) + g * conv.outputs(), conv.groups * conv.outputs(), w},
           OutPlanes{to, nullptr}, step.scratch, step.stream);
    }
  };
}

namespace {

// dy of a group as output channels by (image, position).
struct ByPosition {
  Planes planes;
  bool alongK = true;

  __device__ float at(int64_t i, int64_t k) const { return *planes.at(i, k); }
};

// A block to each output channel: db ← Σ dy.
__global__ void sumPlanes(int64_t images, int64_t channels, int64_t positions, const float* dy,
                          float* db) {
  for (int64_t c = blockIdx.x; c < channels; c += gridDim.x) {
    double sum = 0;
    for (int64_t i = threadIdx.x; i < images * positions; i += kThreads)
      sum += dy[(i / positions * channels + c) * positions + i % positions];
    const double total = blockSum(sum);
    if (threadIdx.x == 0) db[c] = static_cast<float>(total);
  }
}

}  // namespace

Run op_conv2dGradWeight(Instruction& in) {
  const Operand x = in.inputs.at(0), dy = in.inputs.at(1), dw = in.outputs.at(0);
  const Operand db = in.outputs.size() > 1 ? in.outputs[1] : Operand{};
  const Convolution conv(in, x, dw);
  const Windows w = conv.windows;
  const GemmShape shape(conv.out, w.taps(), conv.images * w.positions());
  const Rounding rounding = roundingOf(in);
  in.scratchBytes = shape.scratchBytes();
  const int64_t channels = conv.groups * conv.out;
  return [=](const Step& step) {
    for (int64_t g = 0; g < conv.groups; ++g) {
      const Planes from{dy.f32(step) + g * conv.outputs(), conv.groups * conv.outputs(),
                        w.positions()};
      const Unfolded windows{x.f32(step) + g * conv.inputs(), conv.groups * conv.inputs(), w};
      gemm(shape, rounding, ByPosition{from}, Transposed<Unfolded>{windows, true},
           RowMajor{dw.f32(step) + g * conv.out * w.taps(), w.taps(), nullptr}, step.scratch,
           step.stream);
    }
    if (db.id < 0 || channels == 0) return;  // guard
    LAUNCH(sumPlanes, static_cast<unsigned>(std::min(channels, kMostBlocks)), kThreads, 0,
           step.stream, conv.images, channels, w.positions(), dy.f32(step), db.f32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
