// Max and average pooling of images [n, c, h, w]: a thread to a window. Their gradients: a thread
// to a pixel, which reads the windows that hold it in order.
#include "cuda/base/kernels.h"
#include "cuda/conv/windows.h"

namespace flatmin {
namespace cuda {

namespace {

Windows windowsOf(const Instruction& in, const Operand& x) {
  const std::vector<double>& kernel = in.list("kernel");
  return Windows(in, 1, x, static_cast<int64_t>(kernel.at(0)), static_cast<int64_t>(kernel.at(1)));
}

// Rows [top, bottom) and columns [left, right).
struct Rectangle {
  int64_t top, bottom, left, right;
};

// What of the image is in a window.
__device__ Rectangle pixelsOf(const Windows& w, int64_t position) {
  const int64_t y = position / w.outWidth * w.strideY - w.padY;
  const int64_t x = position % w.outWidth * w.strideX - w.padX;
  const int64_t bottom = y + w.kernelHeight, right = x + w.kernelWidth;
  return {y < 0 ? 0 : y, bottom < w.height ? bottom : w.height, x < 0 ? 0 : x,
          right < w.width ? right : w.width};
}

// The windows that hold a pixel.
__device__ Rectangle windowsAt(const Windows& w, int64_t pixel) {
  const int64_t y = pixel / w.width + w.padY, x = pixel % w.width + w.padX;
  const auto first = [](int64_t at, int64_t size, int64_t stride) {
    return at < size ? 0 : (at - size) / stride + 1;
  };
  const auto end = [](int64_t at, int64_t stride, int64_t count) {
    return at / stride + 1 < count ? at / stride + 1 : count;
  };
  return {first(y, w.kernelHeight, w.strideY), end(y, w.strideY, w.outHeight),
          first(x, w.kernelWidth, w.strideX), end(x, w.strideX, w.outWidth)};
}

// A NaN wins, else the first of equals.
__global__ void maxPool(int64_t size, Windows w, const float* x, float* y, int32_t* index) {
  for (int64_t i = globalThread(); i < size; i += globalThreads()) {
    const Rectangle r = pixelsOf(w, i % w.positions());
    const float* const plane = x + i / w.positions() * w.plane();
    int64_t best = r.top * w.width + r.left;
    float value = plane[best];
    for (int64_t row = r.top; row < r.bottom; ++row)
      for (int64_t at = row * w.width + r.left; at < row * w.width + r.right; ++at)
        if (!(plane[at] <= value) && value == value) {
          best = at;
          value = plane[at];
        }
    y[i] = value;
    index[i] = static_cast<int32_t>(best);
  }
}

}  // namespace

Run op_maxPool2d(Instruction& in) {
  const Operand x = in.inputs.at(0), y = in.outputs.at(0), index = in.outputs.at(1);
  const Windows w = windowsOf(in, x);
  return [=](const Step& step) {
    if (y.size() == 0) return;  // guard
    LAUNCH(maxPool, blocksFor(y.size()), kThreads, 0, step.stream, y.size(), w, x.f32(step),
           y.f32(step), index.i32(step));
  };
}

namespace {

__global__ void maxPoolGrad(int64_t size, Windows w, const float* dy, const int32_t* index,
                            float* dx) {
  for (int64_t i = globalThread(); i < size; i += globalThreads()) {
    const int64_t pixel = i % w.plane(), plane = i / w.plane() * w.positions();
    const Rectangle r = windowsAt(w, pixel);
    float sum = 0;
    for (int64_t row = r.top; row < r.bottom; ++row)
      for (int64_t column = r.left; column < r.right; ++column) {
        const int64_t at = plane + row * w.outWidth + column;
        if (index[at] == pixel) sum += dy[at];
      }
    dx[i] = sum;
  }
}

}  // namespace

Run op_maxPool2dGrad(Instruction& in) {
  const Operand dy = in.inputs.at(0), index = in.inputs.at(1), dx = in.outputs.at(0);
  const Windows w = windowsOf(in, dx);
  return [=](const Step& step) {
    if (dx.size() == 0) return;  // guard
    LAUNCH(maxPoolGrad, blocksFor(dx.size()), kThreads, 0, step.stream, dx.size(), w, dy.f32(step),
           index.i32(step), dx.f32(step));
  };
}

namespace {

__global__ void avgPool(int64_t size, Windows w, float scale, const float* x, float* y) {
  for (int64_t i = globalThread(); i < size; i += globalThreads()) {
    const Rectangle r = pixelsOf(w, i % w.positions());
    const float* const plane = x + i / w.positions() * w.plane();
    float sum = 0;
    for (int64_t row = r.top; row < r.bottom; ++row)
      for (int64_t column = r.left; column < r.right; ++column)
        sum += plane[row * w.width + column];
    y[i] = sum * scale;
  }
}

}  // namespace

Run op_avgPool2d(Instruction& in) {
  const Operand x = in.inputs.at(0), y = in.outputs.at(0);
  const Windows w = windowsOf(in, x);
  const float scale = 1.0f / static_cast<float>(w.kernel());
  return [=](const Step& step) {
    if (y.size() == 0) return;  // guard
    LAUNCH(avgPool, blocksFor(y.size()), kThreads, 0, step.stream, y.size(), w, scale, x.f32(step),
           y.f32(step));
  };
}

namespace {

__global__ void avgPoolGrad(int64_t size, Windows w, float scale, const float* dy, float* dx) {
  for (int64_t i = globalThread(); i < size; i += globalThreads()) {
    const int64_t plane = i / w.plane() * w.positions();
    const Rectangle r = windowsAt(w, i % w.plane());
    float sum = 0;
    for (int64_t row = r.top; row < r.bottom; ++row)
      for (int64_t column = r.left; column < r.right; ++column)
        sum += dy[plane + row * w.outWidth + column] * scale;
    dx[i] = sum;
  }
}

}  // namespace

Run op_avgPool2dGrad(Instruction& in) {
  const Operand dy = in.inputs.at(0), dx = in.outputs.at(0);
  const Windows w = windowsOf(in, dx);
  const float scale = 1.0f / static_cast<float>(w.kernel());
  return [=](const Step& step) {
    if (dx.size() == 0) return;  // guard
    LAUNCH(avgPoolGrad, blocksFor(dx.size()), kThreads, 0, step.stream, dx.size(), w, scale,
           dy.f32(step), dx.f32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
