// What sequences need beside their layers: lengths of padded rows, weights of rows that count, and
// the step before (src/ops/sequence.ts).
#include "cuda/base/block.h"
#include "cuda/base/kernels.h"

namespace flatmin {
namespace cuda {

namespace {

// A thread to a row.
__global__ void lengths(int64_t rows, int64_t steps, const int32_t* tokens, int32_t* y) {
  for (int64_t r = globalThread(); r < rows; r += globalThreads()) {
    int64_t length = steps;
    while (length > 0 && tokens[r * steps + length - 1] == -1) --length;
    y[r] = static_cast<int32_t>(length);
  }
}

}  // namespace

Run op_lengths(Instruction& in) {
  const Operand tokens = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  return [=](const Step& step) {
    if (y.size() == 0) return;  // guard
    LAUNCH(lengths, blocksFor(y.size()), kThreads, 0, step.stream, y.size(), tokens.dim(1),
           tokens.i32(step), y.i32(step));
  };
}

namespace {

__global__ void rowWeights(int64_t rows, const int32_t* labels, float* y) {
  for (int64_t r = globalThread(); r < rows; r += globalThreads())
    y[r] = labels[r] == -1 ? 0.0f : 1.0f;
}

}  // namespace

Run op_rowWeights(Instruction& in) {
  const Operand labels = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  return [=](const Step& step) {
    if (y.size() == 0) return;  // guard
    LAUNCH(rowWeights, blocksFor(y.size()), kThreads, 0, step.stream, y.size(), labels.i32(step),
           y.f32(step));
  };
}

namespace {

__global__ void previousSteps(int64_t size, int64_t steps, int64_t width, const float* x,
                              float* y) {
  for (int64_t at = globalThread(); at < size; at += globalThreads())
    y[at] = at / width % steps == 0 ? 0.0f : x[at - width];
}

}  // namespace

Run op_previousSteps(Instruction& in) {
  const Operand x = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  return [=](const Step& step) {
    if (y.size() == 0) return;  // guard
    LAUNCH(previousSteps, blocksFor(y.size()), kThreads, 0, step.stream, y.size(), x.dim(1),
           x.dim(2), x.f32(step), y.f32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
