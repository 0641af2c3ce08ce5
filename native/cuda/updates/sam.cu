// SAM (Foret et al. 2020): the norm of all gradients, and θ ← θ + ρ g/‖g‖ with the old θ
// kept.
#include "cuda/base/block.h"
#include "cuda/base/chunks.h"
#include "cuda/base/kernels.h"

namespace flatmin {
namespace cuda {

namespace {

// Σ x² of each chunk in double: exact enough for any float32 gradient, and free of overflow.
__global__ void sumSquares(const Chunk<1>* chunks, int64_t count, char* const* table,
                           double* partial) {
  for (int64_t c = blockIdx.x; c < count; c += gridDim.x) {
    double sum = 0;
    forElements<1, 0>(chunks[c], table, [&](float* v) { sum += static_cast<double>(v[0]) * v[0]; });
    const double total = blockSum(sum);
    if (threadIdx.x == 0) partial[c] = total;
  }
}

__global__ void rootOfSum(int64_t count, const double* partial, float* norm) {
  double sum = 0;
  for (int64_t c = threadIdx.x; c < count; c += kThreads) sum += partial[c];
  const double total = blockSum(sum);
  if (threadIdx.x == 0) *norm = static_cast<float>(sqrt(total));
}

}  // namespace

Run op_globalNorm(Instruction& in) {
  const Operand norm = in.outputs.at(0);
  const ChunkList<1> list(in, in.inputs);
  in.scratchBytes = list.count() * static_cast<int64_t>(sizeof(double));
  return [=](const Step& step) {
    double* const partial = reinterpret_cast<double*>(step.scratch);
    if (list.count() > 0)
      LAUNCH(sumSquares, list.blocks(), kThreads, 0, step.stream, list.data(), list.count(),
             step.table, partial);
    LAUNCH(rootOfSum, 1, kThreads, 0, step.stream, list.count(), partial, norm.f32(step));
  };
}

namespace {

// Chunks of θ, g and the old θ.
__global__ void perturb(const Chunk<3>* chunks, int64_t count, char* const* table, float rho,
                        const float* norm) {
  const float length = *norm;
  // A norm so small that ρ/‖g‖ is out of range: both sides scaled up by a power of two.
  const float up = length < 1e-30f ? 0x1p100f : 1.0f;
  const float scale = length == 0 ? 0.0f : rho / (length * up);
  for (int64_t c = blockIdx.x; c < count; c += gridDim.x)
    forElements<3, 5>(chunks[c], table, [&](float* v) {
      v[2] = v[0];
      v[0] = v[2] + scale * (v[1] * up);
    });
}

}  // namespace

Run op_samPerturb(Instruction& in) {
  const Operand norm = in.inputs.at(0);
  const float rho = static_cast<float>(in.number("rho"));
  std::vector<Operand> operands;
  for (size_t t = 0; t < in.outputs.size(); ++t)
    operands.insert(operands.end(),
                    {in.inputs.at(1 + 2 * t), in.inputs.at(2 + 2 * t), in.outputs[t]});
  const ChunkList<3> list(in, operands);
  return [=](const Step& step) {
    if (list.count() == 0) return;  // guard
    LAUNCH(perturb, list.blocks(), kThreads, 0, step.stream, list.data(), list.count(), step.table,
           rho, norm.f32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
