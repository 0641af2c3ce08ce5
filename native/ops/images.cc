// Images [n, channels, height, width].
#include "formulas/broadcast.h"
#include "ops/broadcast.h"
#include "ops/windows.h"

namespace flatmin {
namespace ops {

namespace {

constexpr int64_t kMostSteps = int64_t{1} << 31;  // of a stride, a padding or a kernel

// Beside a product: how many bits of its operands' fractions count.
void rounding(const Signature& s) {
  if (!s.has("fractionBits")) return;
  const int64_t bits = s.integer("fractionBits", 7, 10);
  s.expect(bits == 7 || bits == 10, "10 or 7 bits of fraction");
}

// Images, weight and output of a convolution.
void convolution(const Signature& s, const TensorType& x, const TensorType& weight,
                 const TensorType& y) {
  rounding(s);
  for (const TensorType* type : {&x, &weight, &y})
    s.expect(type->dtype == DType::f32 && type->shape.size() == 4, "f32 of four dimensions");
  const int64_t groups = s.integer("groups", 1, kMostSteps);
  const int64_t channels = weight.shape[1], out = weight.shape[0];
  s.expect(x.shape[1] == s.product({channels, groups}) && out % groups == 0,
           "channels that groups divide");
  const Windows w =
      windowsOf(s, channels, x.shape[2], x.shape[3], weight.shape[2], weight.shape[3]);
  s.expect(y.shape == std::vector<int64_t>{x.shape[0], out, w.outHeight, w.outWidth},
           "an output of its windows");
  // Multiplications, by which kernels cut their work.
  s.product({x.shape[0], out, channels, weight.shape[2] * weight.shape[3], w.positions()});
}

TensorType pooled(const Signature& s, const TensorType& x) {
  s.expect(x.dtype == DType::f32 && x.shape.size() == 4 && x.shape[2] > 0 && x.shape[3] > 0,
           "images of at least a pixel");
  const std::vector<int64_t> kernel = kernelOf(s);
  const std::vector<int64_t> padding = s.integers("padding", 2, 0, kMostSteps);
  // No window lies in the padding alone.
  s.expect(2 * padding[0] <= kernel[0] && 2 * padding[1] <= kernel[1],
           "padding of at most half the kernel");
  const Windows w = windowsOf(s, 1, x.shape[2], x.shape[3], kernel[0], kernel[1]);
  return f32({x.shape[0], x.shape[1], w.outHeight, w.outWidth});
}

// One number for each channel of [n, channels, …].
TensorType channelsOf(const Signature& s, const TensorType& x) {
  s.expect(x.dtype == DType::f32 && x.shape.size() >= 2, "f32 [n, channels, …]");
  return f32({x.shape[1]});
}

}  // namespace

std::vector<int64_t> kernelOf(const Signature& s) { return s.integers("kernel", 2, 1, kMostSteps); }

Windows windowsOf(const Signature& s, int64_t channels, int64_t height, int64_t width,
                  int64_t kernelHeight, int64_t kernelWidth) {
  const std::vector<int64_t> stride = s.integers("stride", 2, 1, kMostSteps);
  const std::vector<int64_t> padding = s.integers("padding", 2, 0, kMostSteps);
  const int64_t paddedHeight = height + 2 * padding[0], paddedWidth = width + 2 * padding[1];
  s.expect(kernelHeight >= 1 && kernelWidth >= 1 && kernelHeight <= paddedHeight &&
               kernelWidth <= paddedWidth,
           "a kernel that fits its images");
  s.product({channels, paddedHeight, paddedWidth});
  const Windows w{(paddedHeight - kernelHeight) / stride[0] + 1,
                  (paddedWidth - kernelWidth) / stride[1] + 1};
  s.product({channels, kernelHeight, kernelWidth, w.outHeight, w.outWidth});
  return w;
}

void check_normalise(const Signature& s) {
  s.takes(1, 1);
  const TensorType& x = s.input(0);
  s.expect(x.dtype == DType::u8 || x.dtype == DType::f32, "u8 or f32");
  s.output(0, f32(x.shape));
  const size_t count = s.list("scale").size();
  s.list("shift", count);
  s.expect(
      count == 1 || (x.shape.size() >= 2 && count > 0 && static_cast<int64_t>(count) == x.shape[1]),
      "one scale and shift, or one a channel");
}

void check_conv2d(const Signature& s) {
  s.takes(2, 3, 1);
  convolution(s, s.input(0), s.input(1), s.output(0));
  if (s.inputs() > 2) s.input(2, f32({s.input(1).shape[0]}));
}
void check_conv2dGradInput(const Signature& s) {
  s.takes(2, 1);
  convolution(s, s.output(0), s.input(1), s.input(0));
}
void check_conv2dGradWeight(const Signature& s) {
  s.takes(2, s.outputs());
  s.expect(s.outputs() == 1 || s.outputs() == 2, "one output or two");
  s.integer("bias", static_cast<int64_t>(s.outputs()) - 1, static_cast<int64_t>(s.outputs()) - 1);
  convolution(s, s.input(0), s.output(0), s.input(1));
  if (s.outputs() > 1) s.output(1, f32({s.output(0).shape[0]}));
}

void check_maxPool2d(const Signature& s) {
  s.takes(1, 2);
  const TensorType y = pooled(s, s.input(0));
  s.output(0, y);
  s.output(1, i32(y.shape));
}
void check_maxPool2dGrad(const Signature& s) {
  s.takes(2, 1);
  const TensorType y = pooled(s, s.output(0));
  s.input(0, y);
  s.input(1, i32(y.shape));
}
void check_avgPool2d(const Signature& s) {
  s.takes(1, 1);
  s.output(0, pooled(s, s.input(0)));
}
void check_avgPool2dGrad(const Signature& s) {
  s.takes(1, 1);
  s.input(0, pooled(s, s.output(0)));
}

void check_batchNorm(const Signature& s) {
  s.takes(3, 3);
  const TensorType channels = channelsOf(s, s.input(0));
  s.output(0, s.input(0));
  for (const size_t i : {1, 2}) {
    s.input(i, channels);
    s.output(i, channels);
  }
  s.number("eps");
}
void check_batchNormGrad(const Signature& s) {
  s.takes(5, 3);
  const TensorType channels = channelsOf(s, s.input(0));
  for (const size_t i : {1, 2, 3}) s.input(i, channels);
  s.input(4, s.input(0));
  s.output(0, s.input(0));
  for (const size_t i : {1, 2}) s.output(i, channels);
  s.number("eps");
}
void check_trackStatistics(const Signature& s) {
  s.takes(5, 0);
  s.status(0);
  const TensorType& mean = s.input(1, DType::f32);
  for (const size_t i : {2, 3, 4}) s.input(i, mean);
  s.numbers({"momentum", "count"});
}

void check_linear(const Signature& s) {
  s.takes(2, 3, 1);
  rounding(s);
  const std::vector<int64_t>& x = s.input(0, f32({kAny, kAny})).shape;
  const int64_t out = s.input(1, f32({kAny, x[1]})).shape[0];
  if (s.inputs() > 2) s.input(2, f32({out}));
  s.output(0, f32({x[0], out}));
}
void check_matmul(const Signature& s) {
  s.takes(2, 1);
  rounding(s);
  const std::vector<int64_t>& a = s.input(0, f32({kAny, kAny})).shape;
  const std::vector<int64_t>& b = s.input(1, f32({kAny, kAny})).shape;
  const bool transA = s.flag("transA"), transB = s.flag("transB");
  s.expect(a[transA ? 0 : 1] == b[transB ? 1 : 0], "equal inner dimensions");
  s.output(0, f32({a[transA ? 1 : 0], b[transB ? 0 : 1]}));
}
// Of the last two dimensions; those before are broadcast.
void check_batchedMatmul(const Signature& s) {
  s.takes(2, 1);
  rounding(s);
  std::vector<int64_t> a = s.input(0, DType::f32).shape, b = s.input(1, DType::f32).shape;
  s.expect(a.size() >= 2 && b.size() >= 2, "matrices");
  if (s.flag("transA")) std::swap(a[a.size() - 2], a[a.size() - 1]);
  if (s.flag("transB")) std::swap(b[b.size() - 2], b[b.size() - 1]);
  s.expect(a.back() == b[b.size() - 2], "equal inner dimensions");
  const int64_t rows = a[a.size() - 2], columns = b.back();
  a.resize(a.size() - 2);
  b.resize(b.size() - 2);
  TensorType y = f32(broadcastShape(s, {&a, &b}));
  s.expect(formulas::Broadcast<2>({&a, &b}, y.shape).fits, "to broadcast over few dimensions");
  y.shape.push_back(rows);
  y.shape.push_back(columns);
  s.output(0, y);
}
void check_blockMatmul(const Signature& s) {
  s.takes(1, SIZE_MAX, 1);
  const std::vector<int64_t>& x = s.input(0, f32({kAny, kAny})).shape;
  const bool left = s.flag("left"), transX = s.flag("transX");
  s.flag("transBlocks");
  const int64_t rows = x[transX ? 1 : 0], columns = x[transX ? 0 : 1];
  s.output(0, f32({rows, columns}));
  const int64_t whole = left ? rows : columns;
  int64_t covered = 0;
  for (size_t i = 1; i < s.inputs(); ++i) {
    const std::vector<int64_t>& block = s.input(i, f32({kAny, kAny})).shape;
    s.expect(block[0] == block[1] && block[0] <= whole - covered, "square blocks beside x");
    covered += block[0];
  }
  s.expect(covered == whole, "blocks as long as x together");
}

void check_moveImages(const Signature& s) {
  s.takes(1, 1);
  const TensorType& x = s.input(0);
  s.expect(x.dtype == DType::f32 || x.dtype == DType::u8, "images of f32 or u8");
  s.expect(x.shape.size() == 4, "images [n, c, h, w]");
  s.output(0, x);
  s.integers("padding", 2, 0, (int64_t{1} << 30) - 1);
  const double flip = s.number("flip");
  s.expect(flip >= 0 && flip <= 1, "a probability");
  if (x.dtype == DType::u8)
    s.integer("value", 0, 255);
  else
    s.number("value");
  s.flag("adjoint");
  s.integer("stream", 0, 0xffffffff);
  s.slots({"seedSlot", "stepSlot"});
}

void check_layerNorm(const Signature& s) {
  s.takes(2, 3, 3);
  const TensorType& x = s.input(0, f32({kAny, kAny}));
  for (size_t i = 1; i < s.inputs(); ++i) s.input(i, f32({x.shape[1]}));
  s.output(0, x);
  s.output(1, f32({x.shape[0]}));
  s.output(2, f32({x.shape[0]}));
  s.number("eps");
  s.flag("centred");
}
void check_layerNormGrad(const Signature& s) {
  s.takes(5, 3);
  const TensorType& x = s.input(0, f32({kAny, kAny}));
  s.input(1, f32({x.shape[1]}));
  s.input(2, f32({x.shape[0]}));
  s.input(3, f32({x.shape[0]}));
  s.input(4, x);
  s.output(0, x);
  s.output(1, f32({x.shape[1]}));
  s.output(2, f32({x.shape[1]}));
  s.flag("centred");
}

}  // namespace ops
}  // namespace flatmin
