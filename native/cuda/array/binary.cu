// Elementwise functions of tensors, broadcast as in NumPy (formulas/broadcast.h).
#include "cuda/base/elementwise.h"
#include "cuda/base/kernels.h"
#include "cuda/base/scalar.h"
#include "formulas/binary.h"
#include "formulas/broadcast.h"

namespace flatmin {
namespace cuda {

namespace {

using formulas::Broadcast;

template <class F>
__global__ void mapBroadcast(int64_t size, Broadcast<2> shape, F f, float* y, const float* a,
                             const float* b) {
  for (int64_t at = globalThread(); at < size; at += globalThreads()) {
    int64_t from[2];
    shape.locate(at, from);
    y[at] = f(a[from[0]], b[from[1]]);
  }
}

template <class F>
Run binary(const Instruction& in, F f) {
  const Operand a = in.inputs.at(0);
  const Operand b = in.inputs.at(1);
  const Operand y = in.outputs.at(0);
  const Broadcast<2> shape({&a.type.shape, &b.type.shape}, y.type.shape);
  const int64_t size = y.size();
  if (size == 0) return [](const Step&) {};
  if (shape.isPlain()) {
    return [=](const Step& step) {
      LAUNCH(mapTwo<F>, quadBlocks(size), kThreads, 0, step.stream, size, f, y.f32(step),
             a.f32(step), b.f32(step));
    };
  }
  return [=](const Step& step) {
    LAUNCH(mapBroadcast<F>, blocksFor(size), kThreads, 0, step.stream, size, shape, f, y.f32(step),
           a.f32(step), b.f32(step));
  };
}

__global__ void where(int64_t size, Broadcast<3> shape, float* y, const float* condition,
                      const float* a, const float* b) {
  for (int64_t at = globalThread(); at < size; at += globalThreads()) {
    int64_t from[3];
    shape.locate(at, from);
    y[at] = condition[from[0]] != 0.0f ? a[from[1]] : b[from[2]];
  }
}

}  // namespace

Run op_add(Instruction& in) { return binary(in, formulas::Add{}); }
Run op_sub(Instruction& in) { return binary(in, formulas::Sub{}); }
Run op_mul(Instruction& in) { return binary(in, formulas::Mul{}); }
Run op_div(Instruction& in) { return binary(in, formulas::Div{}); }
Run op_maximum(Instruction& in) { return binary(in, formulas::Maximum{}); }
Run op_minimum(Instruction& in) { return binary(in, formulas::Minimum{}); }
Run op_greaterEqual(Instruction& in) { return binary(in, formulas::GreaterEqual{}); }
Run op_less(Instruction& in) { return binary(in, formulas::Less{}); }
Run op_equal(Instruction& in) { return binary(in, formulas::Equal{}); }
Run op_notEqual(Instruction& in) { return binary(in, formulas::NotEqual{}); }
Run op_logicalAnd(Instruction& in) { return binary(in, formulas::LogicalAnd{}); }
Run op_logicalOr(Instruction& in) { return binary(in, formulas::LogicalOr{}); }
Run op_pow(Instruction& in) { return binary(in, PowOf{}); }

Run op_where(Instruction& in) {
  const Operand condition = in.inputs.at(0), a = in.inputs.at(1), b = in.inputs.at(2);
  const Operand y = in.outputs.at(0);
  const Broadcast<3> shape({&condition.type.shape, &a.type.shape, &b.type.shape}, y.type.shape);
  return [=](const Step& step) {
    if (y.size() == 0) return;  // guard
    LAUNCH(where, blocksFor(y.size()), kThreads, 0, step.stream, y.size(), shape, y.f32(step),
           condition.f32(step), a.f32(step), b.f32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
