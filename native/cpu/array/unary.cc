// Elementwise functions of one tensor, and gradients in terms of their outputs or inputs;
// formulas/elementary.h, formulas/activations.h.
#include "cpu/base/elementwise.h"
#include "cpu/base/kernels.h"
#include "cpu/base/lanewise.h"
#include "formulas/activations.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

template <class F>
Run unary(const Instruction& in, F f) {
  const Operand x = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  return [=](const Step& step) {
    forChunks(step.pool, y.size(), [&](int64_t begin, int64_t end, int64_t) {
      mapRange(y.f32(step) + begin, x.f32(step) + begin, end - begin, f);
    });
  };
}

// f(y, dy)
template <class F>
Run unaryGrad(const Instruction& in, F f) {
  const Operand y = in.inputs.at(0);
  const Operand dy = in.inputs.at(1);
  const Operand dx = in.outputs.at(0);
  return [=](const Step& step) {
    forChunks(step.pool, dx.size(), [&](int64_t begin, int64_t end, int64_t) {
      mapRange(dx.f32(step) + begin, y.f32(step) + begin, dy.f32(step) + begin, end - begin, f);
    });
  };
}

}  // namespace

Run op_relu(Instruction& in) {
  return unary(in, [](vf x) { return x <= 0.0f ? vf{} : x; });
}
Run op_tanh(Instruction& in) {
  return unary(in, [](vf x) { return formulas::tanh<vf, vu>(x); });
}
Run op_sigmoid(Instruction& in) {
  return unary(in, [](vf x) { return formulas::sigmoid<vf, vu>(x); });
}
Run op_exp(Instruction& in) {
  return unary(in, [](vf x) { return formulas::exp<vf, vu>(x); });
}
Run op_log(Instruction& in) {
  return unary(in, [](vf x) { return formulas::log<vf, vu>(x); });
}
Run op_sqrt(Instruction& in) { return unary(in, sqrtOf); }
Run op_square(Instruction& in) {
  return unary(in, [](vf x) { return x * x; });
}
Run op_sign(Instruction& in) { return unary(in, signOf); }
Run op_abs(Instruction& in) {
  return unary(in, [](vf x) {
    return formulas::bitCast<vf, vu>(formulas::bitCast<vu, vf>(x) & 0x7fffffffu);
  });
}
Run op_affine(Instruction& in) {
  const float scale = static_cast<float>(in.number("scale"));
  const float shift = static_cast<float>(in.number("shift"));
  return unary(in, [=](vf x) { return x * scale + shift; });
}

Run op_gelu(Instruction& in) {
  return unary(in, [](vf x) { return formulas::gelu<vf, vu>(x); });
}
Run op_geluTanh(Instruction& in) {
  return unary(in, [](vf x) { return formulas::geluTanh<vf, vu>(x); });
}
Run op_silu(Instruction& in) {
  return unary(in, [](vf x) { return formulas::silu<vf, vu>(x); });
}
Run op_clip(Instruction& in) {
  return unary(in, formulas::Clip{static_cast<float>(in.number("min")),
                                  static_cast<float>(in.number("max"))});
}

Run op_reluGrad(Instruction& in) {
  return unaryGrad(in, [](vf y, vf dy) { return y > 0.0f ? dy : vf{}; });
}
Run op_tanhGrad(Instruction& in) {
  return unaryGrad(in, [](vf y, vf dy) { return dy * (1.0f - y * y); });
}
Run op_sigmoidGrad(Instruction& in) {
  return unaryGrad(in, [](vf y, vf dy) { return dy * y * (1.0f - y); });
}

Run op_geluGrad(Instruction& in) {
  return unaryGrad(in, [](vf x, vf dy) { return dy * formulas::geluSlope<vf, vu>(x); });
}
Run op_geluTanhGrad(Instruction& in) {
  return unaryGrad(in, [](vf x, vf dy) { return dy * formulas::geluTanhSlope<vf, vu>(x); });
}
Run op_siluGrad(Instruction& in) {
  return unaryGrad(in, [](vf x, vf dy) { return dy * formulas::siluSlope<vf, vu>(x); });
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
