// linear: y = x wᵀ + b, and matmul: op(a) op(b), by cuBLAS where it is there, else by the product
// of gemm.h.
#include "cuda/base/kernels.h"
#include "cuda/device/blas.h"
#include "cuda/gemm/gemm.h"

namespace flatmin {
namespace cuda {

namespace {

__global__ void addBias(int64_t size, int64_t columns, const float* bias, float* y) {
  for (int64_t at = globalThread(); at < size; at += globalThreads()) y[at] += bias[at % columns];
}

Run byBlas(const Instruction& in, const Blas& blas, const Product& product, bool hasBias) {
  const Operand a = in.inputs.at(0), b = in.inputs.at(1), y = in.outputs.at(0);
  const Operand bias = hasBias ? in.inputs.at(2) : Operand{};
  return [=, &blas](const Step& step) {
    blas.multiply(product, a.f32(step), b.f32(step), y.f32(step));
    if (hasBias)
      LAUNCH(addBias, blocksFor(y.size()), kThreads, 0, step.stream, y.size(), product.n,
             bias.f32(step), y.f32(step));
  };
}

Run byTiles(Instruction& in, const Product& product, bool hasBias) {
  const Operand a = in.inputs.at(0), b = in.inputs.at(1), y = in.outputs.at(0);
  const Operand bias = hasBias ? in.inputs.at(2) : Operand{};
  const GemmShape shape(product.m, product.n, product.k);
  in.scratchBytes = shape.scratchBytes();
  return [=](const Step& step) {
    const int64_t lda = a.dim(1), ldb = b.dim(1);
    const bool transA = product.transA, transB = product.transB;
    gemm(shape, product.rounding, leftMatrix(a.f32(step), transA ? 1 : lda, transA ? lda : 1),
         rightMatrix(b.f32(step), transB ? 1 : ldb, transB ? ldb : 1),
         RowMajor{y.f32(step), shape.n, hasBias ? bias.f32(step) : nullptr}, step.scratch,
         step.stream);
  };
}

Run product(Instruction& in, bool transA, bool transB, bool hasBias) {
  const Operand y = in.outputs.at(0);
  const Product product{y.dim(0), y.dim(1), in.inputs.at(0).dim(transA ? 0 : 1),
                        transA,   transB,   roundingOf(in)};
  const Blas* const blas = Blas::takes(product) ? blasOf(in) : nullptr;
  return blas ? byBlas(in, *blas, product, hasBias) : byTiles(in, product, hasBias);
}

}  // namespace

Run op_linear(Instruction& in) { return product(in, false, true, in.inputs.size() > 2); }

Run op_matmul(Instruction& in) {
  return product(in, in.integer("transA") != 0, in.integer("transB") != 0, false);
}

}  // namespace cuda
}  // namespace flatmin
