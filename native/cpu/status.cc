// checkFinite: is any element of a list of tensors NaN or infinite?
#include "status.h"

#include "kernels.h"
#include "update.h"

namespace flatmin {
namespace FLATMIN_ISA {

// x·0 is 0 for finite x and NaN otherwise, so a sum of such products tells without a branch.
static bool allFinite(const float* x, int64_t n) {
  vf bad = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) bad += load(x + i) * 0.0f;
  if (i < n) bad += loadTail(x + i, n - i) * 0.0f;
  return sumLanes(bad) == 0.0f;
}

Run op_checkFinite(Instruction& in) {
  const Operand status = in.inputs.at(0);
  const std::vector<Operand> tensors(in.inputs.begin() + 1, in.inputs.end());
  TensorChunks chunks;
  for (size_t t = 0; t < tensors.size(); ++t) chunks.add(static_cast<int>(t), tensors[t].size());
  const bool skip = in.integer("skip") != 0;
  const bool again = in.integer("again") != 0;
  const int64_t stepSlot = in.integer("stepSlot");
  return [=](const Step& step) {
    int32_t* words = status.i32(step);
    if (!again) words[kSkip] = 0;
    if (standsStill(words)) return;
    std::atomic<int> first{INT32_MAX};
    step.pool.parallel(chunks.count(), [&](int64_t i, int) {
      const auto chunk = chunks[i];
      if (allFinite(tensors[static_cast<size_t>(chunk.tensor)].f32(step) + chunk.begin,
                    chunk.end - chunk.begin))
        return;
      int known = first.load();
      while (chunk.tensor < known && !first.compare_exchange_weak(known, chunk.tensor)) {
      }
    });
    if (first == INT32_MAX) return;
    words[kTensor] = first;
    words[kStep] = static_cast<int32_t>(step.row[stepSlot]);
    if (skip) {
      words[kSkip] = 1;
      words[kSkipped] += 1;
    } else {
      words[kStop] = 1;
    }
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
