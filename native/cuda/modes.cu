// Shampoo's products along one dimension of a tensor seen as [outer, dim, inner]: statistics G Gᵀ
// and P G. The tensor is read where it stands, as a matrix dim × (outer, inner).
#include "cuda/gemm.h"
#include "cuda/kernels.h"
#include "cuda/status.h"

namespace flatmin {
namespace cuda {

struct Mode {
  int64_t outer, dim, inner;

  explicit Mode(const Instruction& in)
      : outer(in.integer("outer")), dim(in.integer("dim")), inner(in.integer("inner")) {}
  int64_t columns() const { return outer * inner; }
};

// Row i of the dimension, column (o, r) of the others.
struct ByMode {
  float* data;
  int64_t dim, inner;
  bool alongK;

  __device__ float* element(int64_t i, int64_t column) const {
    return data + (column / inner * dim + i) * inner + column % inner;
  }
  __device__ float at(int64_t i, int64_t column) const { return *element(i, column); }
  __device__ void put(int64_t i, int64_t column, float value) const { *element(i, column) = value; }
};

// S ← decay S + scale · value, unless the step stands still.
struct Statistic {
  float* data;
  int64_t dim;
  float decay, scale;
  const int32_t* status;

  __device__ void put(int64_t i, int64_t j, float value) const {
    if (standsStill(status)) return;
    float& s = data[i * dim + j];
    s = decay == 0 ? scale * value : decay * s + scale * value;
  }
};

Run op_modeGram(Instruction& in) {
  const Operand status = in.inputs.at(0), statistic = in.inputs.at(1), g = in.inputs.at(2);
  const Mode mode(in);
  const float decay = static_cast<float>(in.number("decay"));
  const float scale = static_cast<float>(in.number("scale"));
  const GemmShape shape(mode.dim, mode.dim, mode.columns());
  in.scratchBytes = shape.scratchBytes();
  return [=](const Step& step) {
    const bool alongK = mode.inner > 1;
    const ByMode a{g.f32(step), mode.dim, mode.inner, alongK};
    gemm(shape, a, Transposed<ByMode>{a, alongK},
         Statistic{statistic.f32(step), mode.dim, decay, scale, status.i32(step)}, step.scratch,
         step.stream);
  };
}

Run op_modeApply(Instruction& in) {
  const Operand matrix = in.inputs.at(0), x = in.inputs.at(1), y = in.outputs.at(0);
  const Mode mode(in);
  const GemmShape shape(mode.dim, mode.columns(), mode.dim);
  in.scratchBytes = shape.scratchBytes();
  return [=](const Step& step) {
    const bool alongK = mode.inner == 1;
    gemm(shape, leftMatrix(matrix.f32(step), mode.dim, 1),
         ByMode{x.f32(step), mode.dim, mode.inner, alongK},
         ByMode{y.f32(step), mode.dim, mode.inner, false}, step.scratch, step.stream);
  };
}

}  // namespace cuda
}  // namespace flatmin
