// checkFinite: is any element of a list of tensors NaN, infinite, or beyond its tensor's limit?
#include "cuda/base/status.h"

#include "cuda/base/chunks.h"
#include "cuda/base/kernels.h"

namespace flatmin {
namespace cuda {

namespace {

constexpr int kNone = 0x7fffffff;

__global__ void beginCheck(bool again, int32_t* status, int* first) {
  if (!again) status[kSkip] = 0;
  *first = kNone;
}

// first ← twice the index of the first bad tensor, one more where it has no element that is not
// finite.
__global__ void findBad(const Chunk<1>* chunks, int64_t count, char* const* table,
                        const int32_t* status, const double* limits, int* first) {
  if (standsStill(status)) return;
  for (int64_t c = blockIdx.x; c < count; c += gridDim.x) {
    const float limit = static_cast<float>(limits[chunks[c].index]);
    bool within = true;
    float notFinite = 0;  // x·0 is 0 for finite x and NaN otherwise
    forElements<1, 0>(chunks[c], table, [&](float* v) {
      within = within && fabsf(v[0]) <= limit;
      notFinite += v[0] * 0.0f;
    });
    if (!within) atomicMin(first, 2 * chunks[c].index + (notFinite == 0 ? 1 : 0));
  }
}

__global__ void endCheck(bool skip, int firstLoss, const double* step, const int* first,
                         int32_t* status) {
  if (standsStill(status) || *first == kNone) return;
  const int tensor = *first / 2;
  status[kTensor] = tensor;
  status[kStep] = static_cast<int32_t>(*step);
  if (skip) {
    status[kSkip] = 1;
    countUp(status[kSkipped]);
  } else {
    status[kStop] = tensor >= firstLoss ? 5 : *first % 2 == 1 ? 4 : 1;
  }
}

}  // namespace

Run op_checkFinite(Instruction& in) {
  const Operand status = in.inputs.at(0);
  const ChunkList<1> list(in, {in.inputs.begin() + 1, in.inputs.end()});
  const bool skip = in.integer("skip") != 0;
  const bool again = in.integer("again") != 0;
  const int64_t stepSlot = in.integer("stepSlot");
  const int tensors = static_cast<int>(in.inputs.size()) - 1;
  const int firstLoss = tensors - static_cast<int>(in.integer("losses"));
  const Constant<double> limits(in, in.list("limits"));
  in.scratchBytes = sizeof(int);
  return [=](const Step& step) {
    int* const first = reinterpret_cast<int*>(step.scratch);
    LAUNCH(beginCheck, 1, 1, 0, step.stream, again, status.i32(step), first);
    if (list.count() == 0) return;  // guard
    LAUNCH(findBad, list.blocks(), kThreads, 0, step.stream, list.data(), list.count(), step.table,
           status.i32(step), limits.data(), first);
    LAUNCH(endCheck, 1, 1, 0, step.stream, skip, firstLoss, step.row + stepSlot, first,
           status.i32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
