// Shampoo's products along one dimension of a tensor seen as [outer, dim, inner]: statistics G Gᵀ
// and P G.
#include "gemm.h"
#include "kernels.h"
#include "status.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

struct Mode {
  int64_t outer, dim, inner;

  explicit Mode(const Instruction& in)
      : outer(in.integer("outer")), dim(in.integer("dim")), inner(in.integer("inner")) {}
  // One slice for all when the dimension is the last: the tensor is an outer × dim matrix, as it is
  // without slices.
  bool isLast() const { return inner == 1 || outer == 0; }
};

}  // namespace

Run op_modeGram(Instruction& in) {
  const Operand status = in.inputs.at(0);
  const Operand statistic = in.inputs.at(1);
  const Operand g = in.inputs.at(2);
  const Mode mode(in);
  const float decay = static_cast<float>(in.number("decay"));
  const float scale = static_cast<float>(in.number("scale"));
  const int64_t k = mode.isLast() ? mode.outer : mode.inner;
  in.scratchBytes =
      static_cast<int64_t>(gemmScratchFloats({mode.dim, mode.dim, k}, in.threads) * sizeof(float));
  return [=](const Step& step) {
    if (standsStill(status.i32(step))) return;
    float* scratch = reinterpret_cast<float*>(step.scratch);
    GemmOut out{statistic.f32(step), mode.dim, scale, decay};
    if (mode.isLast()) {
      syrk(mode.dim, mode.outer, Matrix{g.f32(step), 1, mode.dim}, out, scratch, step.pool);
      return;
    }
    for (int64_t o = 0; o < mode.outer; ++o) {
      const Matrix slice{g.f32(step) + o * mode.dim * mode.inner, mode.inner, 1};
      syrk(mode.dim, mode.inner, slice, out, scratch, step.pool);
      out.beta = 1;
    }
  };
}

Run op_modeApply(Instruction& in) {
  const Operand matrix = in.inputs.at(0);
  const Operand x = in.inputs.at(1);
  const Operand y = in.outputs.at(0);
  const Mode mode(in);
  const GemmShape shape = mode.isLast() ? GemmShape{mode.outer, mode.dim, mode.dim}
                                        : GemmShape{mode.dim, mode.inner, mode.dim};
  in.scratchBytes = static_cast<int64_t>(gemmScratchFloats(shape, in.threads) * sizeof(float));
  return [=](const Step& step) {
    float* scratch = reinterpret_cast<float*>(step.scratch);
    const Matrix p{matrix.f32(step), mode.dim, 1};
    if (mode.isLast()) {
      // P is symmetric: (P Xᵀ)ᵀ = X P.
      gemm(shape, Matrix{x.f32(step), mode.dim, 1}, p, GemmOut{y.f32(step), mode.dim}, scratch,
           step.pool);
      return;
    }
    for (int64_t o = 0; o < mode.outer; ++o) {
      const int64_t at = o * mode.dim * mode.inner;
      gemm(shape, p, Matrix{x.f32(step) + at, mode.inner, 1}, GemmOut{y.f32(step) + at, mode.inner},
           scratch, step.pool);
    }
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
