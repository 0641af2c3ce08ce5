// momentum: v <- mu v + g and the direction v, or g + mu v with Nesterov's form, of many tensors in
// one call.
#include "cpu/base/kernels.h"
#include "cpu/updates/update.h"

namespace flatmin {
namespace FLATMIN_ISA {

Run op_momentum(Instruction& in) {
  const Operand status = in.inputs.at(0);
  const std::vector<Operand> tensors(in.inputs.begin() + 1, in.inputs.end());
  const std::vector<Operand> directions = in.outputs;
  const float mu = static_cast<float>(in.number("momentum"));
  const bool nesterov = in.integer("nesterov") != 0;
  TensorChunks chunks;
  for (size_t t = 0; t < directions.size(); ++t)
    chunks.add(static_cast<int>(t), directions[t].size());
  return [=](const Step& step) {
    const bool still = standsStill(status.i32(step));
    step.pool.parallel(chunks.count(), [&](int64_t i, int) {
      const auto chunk = chunks[i];
      const size_t t = static_cast<size_t>(chunk.tensor);
      const float* g = tensors[2 * t].f32(step);
      float* v = tensors[2 * t + 1].f32(step);
      float* u = directions[t].f32(step);
      for (int64_t j = chunk.begin; j < chunk.end; ++j) {
        const float next = mu * v[j] + g[j];
        u[j] = nesterov ? g[j] + mu * next : next;
        v[j] = still ? v[j] : next;
      }
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
