// Lion (arXiv 2302.06675): one pass over θ, g, m; formula in formulas/updates.h. m is float32, or
// bfloat16 of all tensors.
#include "cuda/base/kernels.h"
#include "cuda/updates/lion_rule.h"
#include "cuda/updates/update.h"
#include "formulas/bf16.h"

namespace flatmin {
namespace cuda {

namespace {

// m in bfloat16; a block takes one chunk after another.
__global__ void lionBf16(const Chunk<3>* chunks, int64_t count, char* const* table,
                         const int32_t* status, const double* row, formulas::LionSlots slots) {
  if (standsStill(status)) return;
  const formulas::LionScalars s = slots.at(row);
  for (int64_t c = blockIdx.x; c < count; c += gridDim.x) {
    const Chunk<3>& chunk = chunks[c];
    float* const p = chunk.data(0, table);
    const float* const g = chunk.data(1, table);
    uint16_t* const m = reinterpret_cast<uint16_t*>(table[chunk.ids[2]]);
    for (int64_t i = chunk.begin + threadIdx.x; i < chunk.end; i += kThreads) {
      float momentum = formulas::widened(m[i]);
      formulas::lion(p[i], g[i], momentum, s, SignOf{});
      m[i] = formulas::narrowed(momentum);
    }
  }
}

}  // namespace

Run op_lion(Instruction& in) {
  const formulas::LionSlots slots(in);
  const bool narrow = in.inputs.size() > 3 && in.inputs[3].type.dtype == DType::bf16;
  if (!narrow) return updateRun<3>(in, LionRule<SignOf>{slots, SignOf{}});
  const Operand status = in.inputs.at(0);
  const ChunkList<3> list(in, {in.inputs.begin() + 1, in.inputs.end()});
  return [=](const Step& step) {
    if (list.count() == 0) return;  // guard
    LAUNCH(lionBf16, list.blocks(), kThreads, 0, step.stream, list.data(), list.count(), step.table,
           status.i32(step), step.row, slots);
  };
}

}  // namespace cuda
}  // namespace flatmin
