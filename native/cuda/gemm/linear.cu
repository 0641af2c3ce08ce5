// linear: y = x wᵀ + b, and matmul: op(a) op(b), by cuBLAS where it is there, else by the product
// of gemm.h.
#include "cuda/base/kernels.h"
#include "cuda/device/blas.h"
#include "cuda/gemm/gemm.h"
#include "formulas/broadcast.h"

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

// One product after the other.
Run op_batchedMatmul(Instruction& in) {
  const Operand a = in.inputs.at(0), b = in.inputs.at(1), y = in.outputs.at(0);
  const bool transA = in.integer("transA") != 0, transB = in.integer("transB") != 0;
  const auto side = [](const Operand& x, size_t back) { return x.dim(x.type.shape.size() - back); };
  const auto lead = [](const Operand& x) {
    return std::vector<int64_t>(x.type.shape.begin(), x.type.shape.end() - 2);
  };
  const Product product{side(y, 2), side(y, 1), side(a, transA ? 2 : 1),
                        transA,     transB,     roundingOf(in)};
  const std::vector<int64_t> as = lead(a), bs = lead(b), ys = lead(y);
  const formulas::Broadcast<2> batches({&as, &bs}, ys);
  const int64_t count = TensorType{DType::f32, ys}.size();
  const Blas* const blas = Blas::takes(product) ? blasOf(in) : nullptr;
  const GemmShape shape(product.m, product.n, product.k);
  if (!blas) in.scratchBytes = shape.scratchBytes();
  return [=](const Step& step) {
    for (int64_t batch = 0; batch < count; ++batch) {
      int64_t at[2];
      batches.locate(batch, at);
      const float* const left = a.f32(step) + at[0] * shape.m * shape.k;
      const float* const right = b.f32(step) + at[1] * shape.k * shape.n;
      float* const out = y.f32(step) + batch * shape.m * shape.n;
      if (blas)
        blas->multiply(product, left, right, out);
      else
        gemm(shape, product.rounding, leftMatrix(left, transA ? 1 : shape.k, transA ? shape.m : 1),
             rightMatrix(right, transB ? 1 : shape.n, transB ? shape.k : 1),
             RowMajor{out, shape.n, nullptr}, step.scratch, step.stream);
    }
  };
}

}  // namespace cuda
}  // namespace flatmin
