// sampleLabels: the first class whose cumulative probability exceeds a uniform draw; a thread to a
// row, which adds in the order of the CPU's, so that both draw the same label.
#include "cuda/base/kernels.h"
#include "cuda/base/random.h"

namespace flatmin {
namespace cuda {

namespace {

__global__ void sampleLabels(int64_t rows, int64_t classes, RandomSlots slots, const double* row,
                             const float* probabilities, int32_t* labels) {
  const formulas::RandomSource source = slots.at(row);
  for (int64_t r = globalThread(); r < rows; r += globalThreads()) {
    const uint4 words = randomBlock(source, static_cast<uint64_t>(r / 4));
    const int64_t k = r % 4;
    const double u = formulas::toUniform(k == 0   ? words.x
                                         : k == 1 ? words.y
                                         : k == 2 ? words.z
                                                  : words.w);
    const float* const p = probabilities + r * classes;
    double cumulative = 0;
    int64_t label =
        0;  // where rounding keeps the sum below u: the last class that is possible at all
    for (int64_t c = 0; c < classes && !(cumulative > u); ++c) {
      cumulative += p[c];
      if (p[c] > 0) label = c;
    }
    labels[r] = static_cast<int32_t>(label);
  }
}

}  // namespace

Run op_sampleLabels(Instruction& in) {
  const Operand probabilities = in.inputs.at(0);
  const Operand labels = in.outputs.at(0);
  const int64_t rows = probabilities.dim(0);
  const int64_t classes = probabilities.dim(1);
  const RandomSlots slots(in);
  return [=](const Step& step) {
    if (rows == 0) return;  // guard
    LAUNCH(sampleLabels, blocksFor(rows), kThreads, 0, step.stream, rows, classes, slots, step.row,
           probabilities.f32(step), labels.i32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
