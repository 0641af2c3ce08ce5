// Factors of K-FAC, their inverses and eigenbases, and its small pieces.
#include "ops/windows.h"

namespace flatmin {
namespace ops {

namespace {

constexpr int64_t kMostTensors = int64_t{1} << 30;

// Status block, factor, update counter.
const TensorType& factor(const Signature& s) {
  s.status(0);
  s.counter(2);
  s.number("samples");
  s.flag("begins");
  return s.input(1, f32({kAny}));
}

// One weight a row.
void weights(const Signature& s, size_t i, const TensorType& rows) {
  s.input(i, f32({rows.shape[0]}));
  s.expect(rows.shape.size() <= 2, "weights for rows alone");
}

// A factor, packed or as the vector of its diagonal, beside a matrix [n, n] or a vector [n].
void ofFactor(const Signature& s, size_t factorAt, size_t matrixAt) {
  const std::vector<int64_t>& shape = s.input(matrixAt, DType::f32).shape;
  s.expect(shape.size() == 1 || (shape.size() == 2 && shape[0] == shape[1]),
           "a square matrix or its diagonal");
  s.input(factorAt, f32({shape.size() == 1 ? shape[0] : packedSize(shape[0])}));
}

// Status block, failure counters, update counter, damping, then for each of the attribute `tensors` as many pairs
// as its A and its G have blocks and `more` operands, with `counters` counters for each tensor that
// there may be. each(pairs of A, of G, place of the first): operands are there.
template <class Each>
void layers(const Signature& s, size_t more, int64_t counters, Each each) {
  s.takes(4, SIZE_MAX, 0);
  s.status(0);
  s.counter(2);
  s.input(3, DType::f32, 1);
  const int64_t failures = s.input(1, i32({kAny})).shape[0];
  const std::vector<int64_t> tensors = s.integers("tensors", 0, kMostTensors);
  for (const int64_t tensor : tensors)
    s.expect(counters * (tensor + 1) <= failures, "counters for every tensor");
  s.slots({"stepSlot"});
  const std::vector<int64_t> as = s.integers("aBlocks", tensors.size(), 1, kMostTensors);
  const std::vector<int64_t> gs = s.integers("gBlocks", tensors.size(), 1, kMostTensors);
  size_t at = 4;
  for (size_t l = 0; l < tensors.size(); ++l) {
    const size_t a = static_cast<size_t>(as[l]), g = static_cast<size_t>(gs[l]);
    s.expect(at + 2 * (a + g) + more <= s.inputs(), "operands for every block");
    for (size_t i = 0; i < a + g; ++i) ofFactor(s, at + 2 * i, at + 2 * i + 1);
    each(a, g, at);
    at += 2 * (a + g) + more;
  }
  s.takes(at, 0);
}

// The orders of so many blocks together.
int64_t orders(const Signature& s, size_t first, size_t blocks) {
  int64_t sum = 0;
  for (size_t i = 0; i < blocks; ++i) sum += s.input(first + 2 * i + 1).shape[0];
  return sum;
}

// The attribute `range` within so many inputs or outputs: how many it is of.
int64_t rangeOf(const Signature& s, int64_t whole) {
  const std::vector<int64_t> range = s.integers("range", 2, 0, whole);
  s.expect(range[0] <= range[1], "a range that begins before it ends");
  return range[1] - range[0];
}

}  // namespace

void check_kfacInputFactor(const Signature& s) {
  s.takes(4, 5, 0);
  const int64_t dim = factor(s).shape[0];
  const TensorType& x = s.input(3, DType::f32);
  const int64_t bias = s.flag("bias");
  const bool convolution = !s.list("kernel").empty();
  s.expect(x.shape.size() == (convolution ? 4u : 2u), "rows, or images and a kernel");
  const int64_t channels = rangeOf(s, x.shape[1]);
  int64_t inputs = channels;
  if (convolution) {
    const std::vector<int64_t> kernel = kernelOf(s);
    const Windows w = windowsOf(s, channels, x.shape[2], x.shape[3], kernel[0], kernel[1]);
    inputs = s.product({channels, kernel[0], kernel[1]});
    s.product({x.shape[0], inputs + 1, w.positions()});
  }
  s.product({inputs + bias, inputs + bias + 1});
  s.expect(dim == packedSize(inputs + bias), "a factor of its inputs");
  if (s.inputs() > 4) weights(s, 4, x);
}
void check_kfacTokenFactor(const Signature& s) {
  s.takes(4, 5, 0);
  factor(s);
  const TensorType& tokens = s.input(3, i32({kAny}));
  if (s.inputs() > 4) weights(s, 4, tokens);
}
void check_kfacGradFactor(const Signature& s) {
  const size_t weighted = s.flag("weighted") ? 1 : 0;
  s.takes(4 + weighted, SIZE_MAX, 0);
  const int64_t dim = factor(s).shape[0];
  const TensorType& dy = s.input(3 + weighted, DType::f32);
  s.expect(dy.shape.size() >= 2, "gradients of rows or images");
  for (size_t i = 4 + weighted; i < s.inputs(); ++i) s.input(i, dy);
  s.product({dy.shape[1], dy.shape[1] + 1});
  s.expect(dim == packedSize(rangeOf(s, dy.shape[1])), "a factor of its outputs");
  if (weighted) weights(s, 3, dy);
}

void check_kfacInverses(const Signature& s) {
  layers(s, 0, 2, [](size_t, size_t, size_t) {});
}
void check_kfacEigen(const Signature& s) {
  layers(s, 1, 1, [&](size_t a, size_t g, size_t at) {
    const size_t ofG = at + 2 * a;
    s.input(ofG + 2 * g, f32({orders(s, ofG, g), orders(s, at, a)}));  // the scale
  });
}

void check_kfacJoin(const Signature& s) {
  s.takes(2, 4, 1);
  s.expect(s.inputs() != 3, "a weight, or a weight and a bias");
  const bool bias = s.inputs() > 2;
  const TensorType& weight = s.input(0, DType::f32);
  s.input(1, weight);
  s.expect(!weight.shape.empty(), "a weight of rows");
  const int64_t out = weight.shape[0];
  if (bias)
    for (const size_t i : {2, 3}) s.input(i, f32({out}));
  const int64_t width = s.output(0, f32({out, kAny})).shape[1];
  s.expect(width >= bias && s.product({out, width - bias}) == weight.size(),
           "as much room as there is weight");
  s.number("weightDecay");
}
void check_kfacSplit(const Signature& s) {
  s.takes(2, 2);
  const std::vector<int64_t>& u = s.input(0, f32({kAny, kAny})).shape;
  s.input(1, DType::f32, 1);
  const TensorType& weight = s.output(0, DType::f32);
  s.output(1, f32({u[0]}));
  const int64_t inputs = u[0] == 0 ? 0 : weight.size() / u[0];
  s.expect(inputs * u[0] == weight.size() && inputs <= u[1] && u[1] <= inputs + 1,
           "a row of weights and at most a bias");
}
void check_kfacModel(const Signature& s) {
  const size_t count = s.groups(4, 3);
  s.takes(4 + 3 * count, 3);
  for (size_t i = 0; i < 4; ++i) s.input(i, f32());
  for (size_t i = 0; i < 3; ++i) s.output(i, f32());
  for (size_t t = 0; t < count; ++t) {
    const TensorType& v = s.input(4 + 3 * t, DType::f32);
    for (size_t i = 1; i < 3; ++i) s.input(4 + 3 * t + i, v);
  }
  s.number("weightDecay");
}

}  // namespace ops
}  // namespace flatmin
