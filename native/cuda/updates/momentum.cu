// momentum: v ← μv + g and the direction v, or g + μv with Nesterov's form, of many tensors in one
// launch.
#include "cuda/base/chunks.h"
#include "cuda/base/kernels.h"
#include "cuda/base/status.h"

namespace flatmin {
namespace cuda {

namespace {

// Chunks of g, v and the direction.
__global__ void momentum(const Chunk<3>* chunks, int64_t count, char* const* table,
                         const int32_t* status, float mu, bool nesterov) {
  const bool still = standsStill(status);
  for (int64_t c = blockIdx.x; c < count; c += gridDim.x)
    forElements<3, 6>(chunks[c], table, [&](float* v) {
      const float next = mu * v[1] + v[0];
      v[2] = nesterov ? v[0] + mu * next : next;
      v[1] = still ? v[1] : next;
    });
}

}  // namespace

Run op_momentum(Instruction& in) {
  const Operand status = in.inputs.at(0);
  const float mu = static_cast<float>(in.number("momentum"));
  const bool nesterov = in.integer("nesterov") != 0;
  std::vector<Operand> operands;
  for (size_t t = 0; t < in.outputs.size(); ++t)
    operands.insert(operands.end(),
                    {in.inputs.at(1 + 2 * t), in.inputs.at(2 + 2 * t), in.outputs[t]});
  const ChunkList<3> list(in, operands);
  return [=](const Step& step) {
    if (list.count() == 0) return;  // guard
    LAUNCH(momentum, list.blocks(), kThreads, 0, step.stream, list.data(), list.count(), step.table,
           status.i32(step), mu, nesterov);
  };
}

}  // namespace cuda
}  // namespace flatmin
