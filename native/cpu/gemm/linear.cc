// linear: y = x wᵀ + b, matmul: op(a) op(b), and the same of many matrices, by a packed product.
#include <algorithm>

#include "cpu/gemm/products.h"
#include "formulas/broadcast.h"

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

// Small matrices side by side, large ones each by all threads.
Run op_batchedMatmul(Instruction& in) {
  if (isRounded(in) && !multipliesBf16(in)) return withRoundedOperands(in, op_batchedMatmul);
  constexpr int64_t kLarge = 1 << 22;  // m n k
  const Operand a = in.inputs.at(0), b = in.inputs.at(1), y = in.outputs.at(0);
  const bool transA = in.integer("transA") != 0, transB = in.integer("transB") != 0;
  const auto side = [](const Operand& x, size_t back) { return x.dim(x.type.shape.size() - back); };
  const GemmShape shape{side(y, 2), side(y, 1), side(a, transA ? 2 : 1)};
  const auto lead = [](const Operand& x) {
    return std::vector<int64_t>(x.type.shape.begin(), x.type.shape.end() - 2);
  };
  const std::vector<int64_t> as = lead(a), bs = lead(b), ys = lead(y);
  const formulas::Broadcast<2> batches({&as, &bs}, ys);
  const int64_t count = TensorType{DType::f32, ys}.size();
  const GemmFunctions products = gemmFunctionsOf(in);
  const bool large = shape.m * shape.n >= kLarge / std::max<int64_t>(shape.k, 1);
  const int64_t each =
      large ? 0 : (static_cast<int64_t>(products.serialScratchFloats(shape)) + 15) / 16 * 16;
  in.scratchBytes =
      static_cast<int64_t>(sizeof(float)) *
      (large ? static_cast<int64_t>(products.scratchFloats(shape, in.threads)) : in.threads * each);
  return [=](const Step& step) {
    float* const scratch = reinterpret_cast<float*>(step.scratch);
    const auto multiply = [&](int64_t batch, auto by) {
      int64_t at[2];
      batches.locate(batch, at);
      const Matrix left{a.f32(step) + at[0] * shape.m * shape.k, transA ? 1 : shape.k,
                        transA ? shape.m : 1};
      const Matrix right{b.f32(step) + at[1] * shape.k * shape.n, transB ? 1 : shape.n,
                         transB ? shape.k : 1};
      by(left, right, GemmOut{y.f32(step) + batch * shape.m * shape.n, shape.n});
    };
    if (!large) {
      step.pool.parallel(count, [&](int64_t batch, int thread) {
        multiply(batch, [&](Matrix left, Matrix right, GemmOut out) {
          products.serial(shape, left, right, out, scratch + thread * each);
        });
      });
      return;
    }
    for (int64_t batch = 0; batch < count; ++batch)
      multiply(batch, [&](Matrix left, Matrix right, GemmOut out) {
        products.gemm(shape, left, right, out, scratch, step.pool);
      });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
