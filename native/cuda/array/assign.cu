// Values copied into stored ones: assign always, keep unless the step stands still.
#include "cuda/base/chunks.h"
#include "cuda/base/kernels.h"
#include "cuda/base/status.h"

namespace flatmin {
namespace cuda {

namespace {

// Chunks of targets and sources; with a status block nothing is copied while the step stands still.
__global__ void copyPairs(const Chunk<2>* chunks, int64_t count, char* const* table,
                          const int32_t* status) {
  if (status && standsStill(status)) return;
  for (int64_t c = blockIdx.x; c < count; c += gridDim.x)
    forElements<2, 1>(chunks[c], table, [](float* v) { v[0] = v[1]; });
}

}  // namespace

Run op_assign(Instruction& in) {
  const ChunkList<2> list(in, in.inputs);
  return [=](const Step& step) {
    if (list.count() == 0) return;  // guard
    LAUNCH(copyPairs, list.blocks(), kThreads, 0, step.stream, list.data(), list.count(),
           step.table, nullptr);
  };
}

Run op_keep(Instruction& in) {
  const Operand status = in.inputs.at(0);
  const ChunkList<2> list(in, {in.inputs.begin() + 1, in.inputs.end()});
  return [=](const Step& step) {
    if (list.count() == 0) return;  // guard
    LAUNCH(copyPairs, list.blocks(), kThreads, 0, step.stream, list.data(), list.count(),
           step.table, status.i32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
