// Rows of a table by token: zeros for token −1, NaN for any other outside the table; a thread to an
// element. The gradient is scatterAdd of gather.cu.
#include "cuda/base/kernels.h"
#include "cuda/base/launch.h"

namespace flatmin {
namespace cuda {

namespace {

__global__ void embedding(int64_t size, int64_t width, int64_t count, const float* table,
                          const int32_t* tokens, float* y) {
  for (int64_t at = globalThread(); at < size; at += globalThreads()) {
    const int64_t token = tokens[at / width];
    const float outside = token == -1 ? 0.0f : __builtin_nanf("");
    y[at] = token >= 0 && token < count ? table[token * width + at % width] : outside;
  }
}

}  // namespace

Run op_embedding(Instruction& in) {
  const Operand table = in.inputs.at(0);
  const Operand tokens = in.inputs.at(1);
  const Operand y = in.outputs.at(0);
  return [=](const Step& step) {
    if (y.size() == 0) return;  // guard
    LAUNCH(embedding, blocksFor(y.size()), kThreads, 0, step.stream, y.size(), table.dim(1),
           table.dim(0), table.f32(step), tokens.i32(step), y.f32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
