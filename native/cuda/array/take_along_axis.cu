// takeAlongAxis: elements of x [outer, length, inner] by indices [outer, count, inner] along the
// middle, a thread each; 0 for an index outside.
#include "cuda/base/kernels.h"
#include "cuda/base/launch.h"

namespace flatmin {
namespace cuda {

namespace {

__global__ void takeAlongAxis(int64_t size, int64_t length, int64_t count, int64_t inner,
                              const float* x, const int32_t* index, float* y) {
  for (int64_t at = globalThread(); at < size; at += globalThreads()) {
    const int64_t k = index[at];
    const int64_t outer = at / (count * inner);
    y[at] = k >= 0 && k < length ? x[(outer * length + k) * inner + at % inner] : 0.0f;
  }
}

}  // namespace

Run op_takeAlongAxis(Instruction& in) {
  const Operand x = in.inputs.at(0);
  const Operand index = in.inputs.at(1);
  const Operand y = in.outputs.at(0);
  const int64_t length = in.integer("length");
  const int64_t count = in.integer("count");
  const int64_t inner = in.integer("inner");
  return [=](const Step& step) {
    if (y.size() == 0) return;  // guard
    LAUNCH(takeAlongAxis, blocksFor(y.size()), kThreads, 0, step.stream, y.size(), length, count,
           inner, x.f32(step), index.i32(step), y.f32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
