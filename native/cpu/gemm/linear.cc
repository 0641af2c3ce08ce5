// linear: y = x wᵀ + b, and matmul: op(a) op(b), both by a packed product.
#include "cpu/gemm/products.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

Matrix matrixOf(const Operand& x, bool transpose, const Step& step) {
  const Matrix m{x.f32(step), x.dim(1), 1};
  return transpose ? m.transposed() : m;
}

Run product(Instruction& in, bool transA, bool transB, bool hasBias) {
  const Operand a = in.inputs.at(0);
  const Operand b = in.inputs.at(1);
  const Operand bias = hasBias ? in.inputs.at(2) : Operand{};
  const Operand y = in.outputs.at(0);
  const GemmShape shape{y.dim(0), y.dim(1), a.dim(transA ? 0 : 1)};
  const GemmFunctions products = gemmFunctionsOf(in);
  in.scratchBytes = static_cast<int64_t>(products.scratchFloats(shape, in.threads) * sizeof(float));
  return [=](const Step& step) {
    GemmOut out{y.f32(step), shape.n};
    if (hasBias) out.colBias = bias.f32(step);
    products.gemm(shape, matrixOf(a, transA, step), matrixOf(b, transB, step), out,
                  reinterpret_cast<float*>(step.scratch), step.pool);
  };
}

}  // namespace

Run op_linear(Instruction& in) {
  if (isRounded(in) && !multipliesBf16(in)) return withRoundedOperands(in, op_linear);
  return product(in, false, true, in.inputs.size() > 2);
}

Run op_matmul(Instruction& in) {
  if (isRounded(in) && !multipliesBf16(in)) return withRoundedOperands(in, op_matmul);
  return product(in, in.integer("transA") != 0, in.integer("transB") != 0, false);
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
