// Elementwise functions of one tensor, and gradients in terms of their outputs or inputs;
// formulas/elementary.h, formulas/activations.h.
#include "cuda/base/elementwise.h"
#include "cuda/base/kernels.h"
#include "cuda/base/scalar.h"
#include "formulas/activations.h"

namespace flatmin {
namespace cuda {

namespace {

template <class F>
Run unary(const Instruction& in, F f) {
  const Operand x = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  return [=](const Step& step) {
    if (y.size() == 0) return;  // guard
    LAUNCH(mapOne<F>, quadBlocks(y.size()), kThreads, 0, step.stream, y.size(), f, y.f32(step),
           x.f32(step));
  };
}

// f(y, dy)
template <class F>
Run unaryGrad(const Instruction& in, F f) {
  const Operand y = in.inputs.at(0);
  const Operand dy = in.inputs.at(1);
  const Operand dx = in.outputs.at(0);
  return [=](const Step& step) {
    if (dx.size() == 0) return;  // guard
    LAUNCH(mapTwo<F>, quadBlocks(dx.size()), kThreads, 0, step.stream, dx.size(), f, dx.f32(step),
           y.f32(step), dy.f32(step));
  };
}

struct Relu {
  __device__ float operator()(float x) const { return x <= 0.0f ? 0.0f : x; }
};
struct Tanh {
  __device__ float operator()(float x) const { return formulas::tanh<float, uint32_t>(x); }
};
struct Sigmoid {
  __device__ float operator()(float x) const { return formulas::sigmoid<float, uint32_t>(x); }
};
struct Exp {
  __device__ float operator()(float x) const { return formulas::exp<float, uint32_t>(x); }
};
struct Log {
  __device__ float operator()(float x) const { return formulas::log<float, uint32_t>(x); }
};
struct Square {
  __device__ float operator()(float x) const { return x * x; }
};
struct Abs {
  __device__ float operator()(float x) const { return fabsf(x); }
};
struct Affine {
  float scale, shift;
  __device__ float operator()(float x) const { return x * scale + shift; }
};
struct ReluGrad {
  __device__ float operator()(float y, float dy) const { return y > 0.0f ? dy : 0.0f; }
};
struct TanhGrad {
  __device__ float operator()(float y, float dy) const { return dy * (1.0f - y * y); }
};
struct SigmoidGrad {
  __device__ float operator()(float y, float dy) const { return dy * y * (1.0f - y); }
};

struct Gelu {
  __device__ float operator()(float x) const { return formulas::gelu<float, uint32_t>(x); }
};
struct GeluTanh {
  __device__ float operator()(float x) const { return formulas::geluTanh<float, uint32_t>(x); }
};
struct Silu {
  __device__ float operator()(float x) const { return formulas::silu<float, uint32_t>(x); }
};
struct GeluGrad {
  __device__ float operator()(float x, float dy) const {
    return dy * formulas::geluSlope<float, uint32_t>(x);
  }
};
struct GeluTanhGrad {
  __device__ float operator()(float x, float dy) const {
    return dy * formulas::geluTanhSlope<float, uint32_t>(x);
  }
};
struct SiluGrad {
  __device__ float operator()(float x, float dy) const {
    return dy * formulas::siluSlope<float, uint32_t>(x);
  }
};

}  // namespace

Run op_relu(Instruction& in) { return unary(in, Relu{}); }
Run op_tanh(Instruction& in) { return unary(in, Tanh{}); }
Run op_sigmoid(Instruction& in) { return unary(in, Sigmoid{}); }
Run op_exp(Instruction& in) { return unary(in, Exp{}); }
Run op_log(Instruction& in) { return unary(in, Log{}); }
Run op_sqrt(Instruction& in) { return unary(in, SqrtOf{}); }
Run op_square(Instruction& in) { return unary(in, Square{}); }
Run op_sign(Instruction& in) { return unary(in, SignOf{}); }
Run op_abs(Instruction& in) { return unary(in, Abs{}); }
Run op_affine(Instruction& in) {
  return unary(
      in, Affine{static_cast<float>(in.number("scale")), static_cast<float>(in.number("shift"))});
}
Run op_reluGrad(Instruction& in) { return unaryGrad(in, ReluGrad{}); }
Run op_tanhGrad(Instruction& in) { return unaryGrad(in, TanhGrad{}); }
Run op_sigmoidGrad(Instruction& in) { return unaryGrad(in, SigmoidGrad{}); }

Run op_gelu(Instruction& in) { return unary(in, Gelu{}); }
Run op_geluTanh(Instruction& in) { return unary(in, GeluTanh{}); }
Run op_silu(Instruction& in) { return unary(in, Silu{}); }
Run op_clip(Instruction& in) {
  return unary(in, formulas::Clip{static_cast<float>(in.number("min")),
                                  static_cast<float>(in.number("max"))});
}
Run op_geluGrad(Instruction& in) { return unaryGrad(in, GeluGrad{}); }
Run op_geluTanhGrad(Instruction& in) { return unaryGrad(in, GeluTanhGrad{}); }
Run op_siluGrad(Instruction& in) { return unaryGrad(in, SiluGrad{}); }

}  // namespace cuda
}  // namespace flatmin
