// Optimizer updates over every tensor of a model in one launch. Inputs: the status block, then
// groups of kWidth buffers: parameter, gradient, state.
#pragma once

#include "cuda/base/chunks.h"
#include "cuda/base/status.h"

namespace flatmin {
namespace cuda {

// Rule: Scalars, scalars(row, status) for the step, and operator()(float v[kWidth], scalars).
template <int kWidth, class Rule>
__global__ void update(const Chunk<kWidth>* chunks, int64_t count, char* const* table,
                       const int32_t* status, const double* row, Rule rule) {
  using Scalars = typename Rule::Scalars;
  if (standsStill(status)) return;
  SHARED(Scalars, scalars, [1]);
  if (threadIdx.x == 0) scalars[0] = rule.scalars(row, status);
  __syncthreads();
  const Scalars s = scalars[0];
  for (int64_t c = blockIdx.x; c < count; c += gridDim.x)
    forElements<kWidth, ~2u>(chunks[c], table, [&](float* v) { rule(v, s); });
}

template <int kWidth, class Rule>
Run updateRun(const Instruction& in, Rule rule) {
  const Operand status = in.inputs.at(0);
  const ChunkList<kWidth> list(in, {in.inputs.begin() + 1, in.inputs.end()});
  const auto kernel = update<kWidth, Rule>;
  return [=](const Step& step) {
    if (list.count() == 0) return;  // guard
    LAUNCH(kernel, list.blocks(), kThreads, 0, step.stream, list.data(), list.count(), step.table,
           status.i32(step), step.row, rule);
  };
}

}  // namespace cuda
}  // namespace flatmin
