// graft: d · |s|/|d| of every direction d and step s, tensor by tensor; 0 where |d| = 0.
#include <cmath>

#include "cpu/base/kernels.h"
#include "cpu/updates/update.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

// Σ x² of both.
struct Squares {
  double direction = 0, step = 0;
};

Squares squaresOf(const float* d, const float* s, int64_t n) {
  double lanes[2][kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int k = 0; k < kLanes; ++k) {
      lanes[0][k] += static_cast<double>(d[i + k]) * d[i + k];
      lanes[1][k] += static_cast<double>(s[i + k]) * s[i + k];
    }
  for (; i < n; ++i) {
    lanes[0][0] += static_cast<double>(d[i]) * d[i];
    lanes[1][0] += static_cast<double>(s[i]) * s[i];
  }
  Squares sum;
  for (int k = 0; k < kLanes; ++k) sum.direction += lanes[0][k], sum.step += lanes[1][k];
  return sum;
}

}  // namespace

Run op_graft(Instruction& in) {
  const std::vector<Operand> inputs = in.inputs, outputs = in.outputs;
  TensorChunks chunks;
  for (size_t t = 0; t < outputs.size(); ++t) chunks.add(static_cast<int>(t), outputs[t].size());
  const int64_t tensors = static_cast<int64_t>(outputs.size());
  in.scratchBytes = (chunks.count() + tensors) * static_cast<int64_t>(sizeof(Squares));
  return [=](const Step& step) {
    Squares* const totals = reinterpret_cast<Squares*>(step.scratch);
    Squares* const partial = totals + tensors;
    step.pool.parallel(chunks.count(), [&](int64_t i, int) {
      const auto chunk = chunks[i];
      const size_t t = static_cast<size_t>(chunk.tensor);
      partial[i] = squaresOf(inputs[2 * t].f32(step) + chunk.begin,
                             inputs[2 * t + 1].f32(step) + chunk.begin, chunk.end - chunk.begin);
    });
    std::fill(totals, totals + tensors, Squares());
    for (int64_t i = 0; i < chunks.count(); ++i) {
      totals[chunks[i].tensor].direction += partial[i].direction;
      totals[chunks[i].tensor].step += partial[i].step;
    }
    step.pool.parallel(chunks.count(), [&](int64_t i, int) {
      const auto chunk = chunks[i];
      const size_t t = static_cast<size_t>(chunk.tensor);
      const float* const d = inputs[2 * t].f32(step);
      float* const u = outputs[t].f32(step);
      const Squares& total = totals[t];
      // In double: the ratio may leave float32's range where its product does not.
      const double scale = total.direction == 0 ? 0 : std::sqrt(total.step / total.direction);
      for (int64_t j = chunk.begin; j < chunk.end; ++j) u[j] = static_cast<float>(scale * d[j]);
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
