// Values copied into stored ones: assign always, keep unless the step stands still.
#include <cstring>

#include "cpu/base/kernels.h"
#include "cpu/updates/update.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

// Targets and sources alternate.
void copyPairs(const Step& step, const std::vector<Operand>& tensors, const TensorChunks& chunks) {
  step.pool.parallel(chunks.count(), [&](int64_t i, int) {
    const auto chunk = chunks[i];
    const size_t t = static_cast<size_t>(chunk.tensor);
    std::memcpy(tensors[t].f32(step) + chunk.begin, tensors[t + 1].f32(step) + chunk.begin,
                static_cast<size_t>(chunk.end - chunk.begin) * sizeof(float));
  });
}

TensorChunks chunksOfPairs(const std::vector<Operand>& tensors) {
  TensorChunks chunks;
  for (size_t t = 0; t < tensors.size(); t += 2) chunks.add(static_cast<int>(t), tensors[t].size());
  return chunks;
}

}  // namespace

Run op_assign(Instruction& in) {
  const std::vector<Operand> tensors = in.inputs;
  const TensorChunks chunks = chunksOfPairs(tensors);
  return [=](const Step& step) { copyPairs(step, tensors, chunks); };
}

Run op_keep(Instruction& in) {
  const Operand status = in.inputs.at(0);
  const std::vector<Operand> tensors(in.inputs.begin() + 1, in.inputs.end());
  const TensorChunks chunks = chunksOfPairs(tensors);
  return [=](const Step& step) {
    if (!standsStill(status.i32(step))) copyPairs(step, tensors, chunks);
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
