// SAM (Foret et al. 2020): the norm of all gradients, and θ ← θ + ρ g/‖g‖ with the old θ
// kept.
#include <cmath>

#include "cpu/base/dot.h"
#include "cpu/base/kernels.h"
#include "cpu/updates/update.h"

namespace flatmin {
namespace FLATMIN_ISA {

Run op_globalNorm(Instruction& in) {
  const std::vector<Operand> tensors = in.inputs;
  const Operand norm = in.outputs.at(0);
  TensorChunks chunks;
  for (size_t t = 0; t < tensors.size(); ++t) chunks.add(static_cast<int>(t), tensors[t].size());
  in.scratchBytes = chunks.count() * static_cast<int64_t>(sizeof(double));
  return [=](const Step& step) {
    double* const partial = reinterpret_cast<double*>(step.scratch);
    const double squares = sumChunks(step, chunks, partial, [&](TensorChunks::Chunk chunk) {
      const float* const x = tensors[static_cast<size_t>(chunk.tensor)].f32(step) + chunk.begin;
      return dot(x, x, chunk.end - chunk.begin);
    });
    *norm.f32(step) = static_cast<float>(std::sqrt(squares));
  };
}

Run op_samPerturb(Instruction& in) {
  const Operand norm = in.inputs.at(0);
  const std::vector<Operand> tensors(in.inputs.begin() + 1, in.inputs.end());
  const std::vector<Operand> saved = in.outputs;
  const float rho = static_cast<float>(in.number("rho"));
  TensorChunks chunks;
  for (size_t t = 0; t < saved.size(); ++t) chunks.add(static_cast<int>(t), saved[t].size());
  return [=](const Step& step) {
    const float length = *norm.f32(step);
    // A norm so small that ρ/‖g‖ is out of range: both sides scaled up by a power of two.
    const float up = length < 1e-30f ? 0x1p100f : 1.0f;
    const float scale = length == 0 ? 0.0f : rho / (length * up);
    step.pool.parallel(chunks.count(), [&](int64_t i, int) {
      const auto chunk = chunks[i];
      const size_t t = static_cast<size_t>(chunk.tensor);
      float* p = tensors[2 * t].f32(step);
      const float* g = tensors[2 * t + 1].f32(step);
      float* s = saved[t].f32(step);
      for (int64_t j = chunk.begin; j < chunk.end; ++j) {
        s[j] = p[j];
        p[j] = s[j] + scale * (g[j] * up);
      }
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
