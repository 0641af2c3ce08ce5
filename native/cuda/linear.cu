// linear: y = x wᵀ + b, and matmul: op(a) op(b), both by the product of gemm.h.
#include "cuda/gemm.h"
#include "cuda/kernels.h"

namespace flatmin {
namespace cuda {

static Run product(Instruction& in, bool transA, bool transB, bool hasBias) {
  const Operand a = in.inputs.at(0);
  const Operand b = in.inputs.at(1);
  const Operand bias = hasBias ? in.inputs.at(2) : Operand{};
  const Operand y = in.outputs.at(0);
  const GemmShape shape(y.dim(0), y.dim(1), a.dim(transA ? 0 : 1));
  in.scratchBytes = shape.scratchBytes();
  return [=](const Step& step) {
    const int64_t lda = a.dim(1), ldb = b.dim(1);
    gemm(shape, leftMatrix(a.f32(step), transA ? 1 : lda, transA ? lda : 1),
         rightMatrix(b.f32(step), transB ? 1 : ldb, transB ? ldb : 1),
         RowMajor{y.f32(step), shape.n, hasBias ? bias.f32(step) : nullptr}, step.scratch,
         step.stream);
  };
}

Run op_linear(Instruction& in) { return product(in, false, true, in.inputs.size() > 2); }

Run op_matmul(Instruction& in) {
  return product(in, in.integer("transA") != 0, in.integer("transB") != 0, false);
}

}  // namespace cuda
}  // namespace flatmin
