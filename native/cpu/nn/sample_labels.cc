// sampleLabels: the first class whose cumulative probability exceeds a uniform draw, row by row.
#include "cpu/base/random.h"
#include "cpu/base/rows.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

int32_t drawLabel(const float* probabilities, int64_t classes, double u) {
  double cumulative = 0;
  int64_t label =
      0;  // where rounding keeps the sum below u: the last class that is possible at all
  for (int64_t c = 0; c < classes && !(cumulative > u); ++c) {
    cumulative += probabilities[c];
    if (probabilities[c] > 0) label = c;
  }
  return static_cast<int32_t>(label);
}

}  // namespace

Run op_sampleLabels(Instruction& in) {
  const Operand probabilities = in.inputs.at(0);
  const Operand labels = in.outputs.at(0);
  const int64_t rows = probabilities.dim(0);
  const int64_t classes = probabilities.dim(1);
  const RandomSlots slots(in);
  return [=](const Step& step) {
    const formulas::RandomSource source = slots.at(step);
    forRows(step.pool, rows, classes, [&](int64_t begin, int64_t end, int64_t) {
      for (int64_t r = begin; r < end; ++r) {
        const float u = formulas::toUniform(formulas::randomWord(source, static_cast<uint64_t>(r)));
        labels.i32(step)[r] = drawLabel(probabilities.f32(step) + r * classes, classes, u);
      }
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
