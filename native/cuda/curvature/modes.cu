// Products along one dimension of tensors seen as [count, outer, dim, inner]: statistics G Gᵀ and
// P G, each tensor with matrices of its own. A tensor is read where it stands, as a matrix
// dim × (outer, inner).
#include "cuda/base/kernels.h"
#include "cuda/base/status.h"
#include "cuda/gemm/gemm.h"
#include "formulas/packed.h"

namespace flatmin {
namespace cuda {

namespace {

struct Mode {
  int64_t count, outer, dim, inner;

  explicit Mode(const Instruction& in)
      : count(in.integer("count")),
        outer(in.integer("outer")),
        dim(in.integer("dim")),
        inner(in.integer("inner")) {}
  int64_t columns() const { return outer * inner; }
  int64_t size() const { return outer * dim * inner; }
  bool isElementwise() const { return size() == 1; }
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

// S ← decay S + scale · value, packed, unless the step stands still.
struct Statistic {
  float* data;
  float decay, scale;
  const int32_t* status;

  __device__ void put(int64_t i, int64_t j, float value) const {
    if (j > i || standsStill(status)) return;
    float& s = data[formulas::packedSize(i) + j];
    s = decay == 0 ? scale * value : decay * s + scale * value;
  }
};

// Tensors of one element each.
__global__ void gramElements(int64_t count, const float* g, float decay, float scale,
                             const int32_t* status, float* statistics) {
  if (standsStill(status)) return;
  for (int64_t t = globalThread(); t < count; t += globalThreads()) {
    const float square = scale * g[t] * g[t];
    statistics[t] = decay == 0 ? square : decay * statistics[t] + square;
  }
}
__global__ void applyElements(int64_t count, const float* p, const float* x, float* y) {
  for (int64_t t = globalThread(); t < count; t += globalThreads()) y[t] = p[t] * x[t];
}

}  // namespace

Run op_modeGram(Instruction& in) {
  const Operand status = in.inputs.at(0), statistics = in.inputs.at(1), g = in.inputs.at(2);
  const Mode mode(in);
  const float decay = static_cast<float>(in.number("decay"));
  const float scale = static_cast<float>(in.number("scale"));
  if (mode.count == 0) return [](const Step&) {};
  if (mode.isElementwise())
    return [=](const Step& step) {
      LAUNCH(gramElements, blocksFor(mode.count), kThreads, 0, step.stream, mode.count, g.f32(step),
             decay, scale, status.i32(step), statistics.f32(step));
    };
  const GemmShape shape(mode.dim, mode.dim, mode.columns());
  in.scratchBytes = shape.scratchBytes();
  return [=](const Step& step) {
    const bool alongK = mode.inner > 1;
    for (int64_t t = 0; t < mode.count; ++t) {
      const ByMode a{g.f32(step) + t * mode.size(), mode.dim, mode.inner, alongK};
      float* const statistic = statistics.f32(step) + t * formulas::packedSize(mode.dim);
      gemm(shape, a, Transposed<ByMode>{a, alongK},
           Statistic{statistic, decay, scale, status.i32(step)}, step.scratch, step.stream);
    }
  };
}

Run op_modeApply(Instruction& in) {
  const Operand matrices = in.inputs.at(0), x = in.inputs.at(1), y = in.outputs.at(0);
  const Mode mode(in);
  const bool transposed = in.integer("transposed") != 0;
  if (mode.count == 0) return [](const Step&) {};
  if (mode.isElementwise())
    return [=](const Step& step) {
      LAUNCH(applyElements, blocksFor(mode.count), kThreads, 0, step.stream, mode.count,
             matrices.f32(step), x.f32(step), y.f32(step));
    };
  const GemmShape shape(mode.dim, mode.columns(), mode.dim);
  in.scratchBytes = shape.scratchBytes();
  return [=](const Step& step) {
    const bool alongK = mode.inner == 1;
    for (int64_t t = 0; t < mode.count; ++t) {
      const float* const p = matrices.f32(step) + t * mode.dim * mode.dim;
      const int64_t at = t * mode.size();
      gemm(shape, leftMatrix(p, transposed ? 1 : mode.dim, transposed ? mode.dim : 1),
           ByMode{x.f32(step) + at, mode.dim, mode.inner, alongK},
           ByMode{y.f32(step) + at, mode.dim, mode.inner, false}, step.scratch, step.stream);
    }
  };
}

}  // namespace cuda
}  // namespace flatmin
