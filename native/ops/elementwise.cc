// Elements one by one: fill, functions of one and of two tensors, masks and draws.
#include "formulas/broadcast.h"
#include "ops/broadcast.h"
#include "ops/signature.h"

namespace flatmin {
namespace ops {

namespace {

void unary(const Signature& s) {
  s.takes(1, 1);
  s.inPlace(0, 0);
  s.output(0, s.input(0, DType::f32));
}

// (y, dy) → dx
void unaryGrad(const Signature& s) {
  s.takes(2, 1);
  s.inPlace(1, 0);
  const TensorType& y = s.input(0, DType::f32);
  s.input(1, y);
  s.output(0, y);
}

void binary(const Signature& s) {
  s.takes(2, 1);
  s.inPlace(0, 0);
  s.inPlace(1, 0);
  const std::vector<int64_t>&a = s.input(0, DType::f32).shape, &b = s.input(1, DType::f32).shape;
  const TensorType y = f32(broadcastShape(s, {&a, &b}));
  s.expect(formulas::Broadcast<2>({&a, &b}, y.shape).fits, "to broadcast over few dimensions");
  s.output(0, y);
}

void random(const Signature& s) {
  s.integer("stream", 0, 0xffffffff);
  s.slots({"seedSlot", "stepSlot"});
}

// A bit for each element.
TensorType bitsOf(const TensorType& x) { return u8({(x.size() + 7) / 8}); }

}  // namespace

void check_fill(const Signature& s) {
  s.takes(0, 1);
  s.output(0, DType::f32);
  s.number("value");
}

void check_relu(const Signature& s) { unary(s); }
void check_tanh(const Signature& s) { unary(s); }
void check_sigmoid(const Signature& s) { unary(s); }
void check_exp(const Signature& s) { unary(s); }
void check_log(const Signature& s) { unary(s); }
void check_sqrt(const Signature& s) { unary(s); }
void check_square(const Signature& s) { unary(s); }
void check_sign(const Signature& s) { unary(s); }
void check_abs(const Signature& s) { unary(s); }
void check_affine(const Signature& s) {
  unary(s);
  s.numbers({"scale", "shift"});
}
void check_reluGrad(const Signature& s) { unaryGrad(s); }
void check_tanhGrad(const Signature& s) { unaryGrad(s); }
void check_sigmoidGrad(const Signature& s) { unaryGrad(s); }
void check_gelu(const Signature& s) { unary(s); }
void check_geluGrad(const Signature& s) { unaryGrad(s); }
void check_geluTanh(const Signature& s) { unary(s); }
void check_geluTanhGrad(const Signature& s) { unaryGrad(s); }
void check_silu(const Signature& s) { unary(s); }
void check_siluGrad(const Signature& s) { unaryGrad(s); }
void check_clip(const Signature& s) {
  unary(s);
  s.numbers({"min", "max"});
}

void check_add(const Signature& s) { binary(s); }
void check_sub(const Signature& s) { binary(s); }
void check_mul(const Signature& s) { binary(s); }
void check_div(const Signature& s) { binary(s); }
void check_maximum(const Signature& s) { binary(s); }
void check_minimum(const Signature& s) { binary(s); }
void check_greaterEqual(const Signature& s) { binary(s); }
void check_less(const Signature& s) { binary(s); }

void check_equal(const Signature& s) { binary(s); }
void check_notEqual(const Signature& s) { binary(s); }
void check_logicalAnd(const Signature& s) { binary(s); }
void check_logicalOr(const Signature& s) { binary(s); }
void check_pow(const Signature& s) { binary(s); }
void check_where(const Signature& s) {
  s.takes(3, 1);
  for (size_t i = 0; i < 3; ++i) s.inPlace(i, 0);
  const std::vector<int64_t>& condition = s.input(0, DType::f32).shape;
  const std::vector<int64_t>&a = s.input(1, DType::f32).shape, &b = s.input(2, DType::f32).shape;
  const TensorType y = f32(broadcastShape(s, {&condition, &a, &b}));
  const formulas::Broadcast<3> walked({&condition, &a, &b}, y.shape);
  s.expect(walked.fits, "to broadcast over few dimensions");
  s.output(0, y);
}

void check_dropout(const Signature& s) {
  s.takes(1, 2);
  s.inPlace(0, 0);
  const TensorType& x = s.input(0, DType::f32);
  s.output(0, x);
  s.output(1, bitsOf(x));
  s.number("p");
  random(s);
}
void check_dropoutGrad(const Signature& s) {
  s.takes(2, 1);
  s.inPlace(0, 0);
  const TensorType& dy = s.input(0, DType::f32);
  s.input(1, bitsOf(dy));
  s.output(0, dy);
  s.number("p");
}

void check_sampleNormal(const Signature& s) {
  unary(s);
  random(s);
}
void check_drawUniform(const Signature& s) {
  s.takes(1, 0);
  s.input(0, DType::f32);
  s.number("bound");
  random(s);
}
void check_setDiagonal(const Signature& s) {
  s.takes(1, 0);
  const TensorType& x = s.input(0, DType::f32);
  s.number("value");
  const int64_t n = s.integer("n", 0, INT32_MAX);
  const bool packed = s.flag("packed");
  const int64_t elements = packed ? packedSize(n) : n * n;
  s.expect(elements == 0 ? x.size() == 0 : x.size() % elements == 0, "whole matrices");
}
void check_sampleLabels(const Signature& s) {
  s.takes(1, 1);
  const TensorType& probabilities = s.input(0, f32({kAny, kAny}));
  s.expect(probabilities.shape[1] > 0, "at least one class");
  s.output(0, i32({probabilities.shape[0]}));
  random(s);
}

}  // namespace ops
}  // namespace flatmin
