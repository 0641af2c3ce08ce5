// What sequences need beside their layers: lengths of padded rows, weights of rows that count, the
// step before and the last one (src/ops/sequence.ts).
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

// The row's first step, which has none before it, is `first`; that before another is `before` away.
__global__ void previousSteps(int64_t size, int64_t steps, int64_t width, int64_t first,
                              int64_t before, const float* x, float* y) {
  for (int64_t at = globalThread(); at < size; at += globalThreads())
    y[at] = at / width % steps == first ? 0.0f : x[at + before * width];
}

}  // namespace

Run op_previousSteps(Instruction& in) {
  const Operand x = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  const bool reverse = in.integer("reverse") != 0;
  return [=](const Step& step) {
    if (y.size() == 0) return;  // guard
    LAUNCH(previousSteps, blocksFor(y.size()), kThreads, 0, step.stream, y.size(), x.dim(1),
           x.dim(2), reverse ? x.dim(1) - 1 : 0, reverse ? int64_t{1} : int64_t{-1}, x.f32(step),
           y.f32(step));
  };
}

namespace {

// A thread to a row; all rows are whole without lengths.
__global__ void lastRows(int64_t rows, int64_t steps, bool reverse, const int32_t* lengths,
                         int32_t* y) {
  for (int64_t r = globalThread(); r < rows; r += globalThreads()) {
    const int64_t length = lengths && lengths[r] < steps ? lengths[r] : steps;
    const int64_t last = reverse || length < 1 ? 0 : length - 1;
    y[r] = static_cast<int32_t>(r * steps + last);
  }
}

}  // namespace

Run op_lastRows(Instruction& in) {
  const bool hasLengths = !in.inputs.empty();
  const Operand lengths = hasLengths ? in.inputs[0] : Operand{};
  const Operand y = in.outputs.at(0);
  const int64_t steps = in.integer("steps");
  const bool reverse = in.integer("reverse") != 0;
  return [=](const Step& step) {
    if (y.size() == 0) return;  // guard
    LAUNCH(lastRows, blocksFor(y.size()), kThreads, 0, step.stream, y.size(), steps, reverse,
           hasLengths ? lengths.i32(step) : nullptr, y.i32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
