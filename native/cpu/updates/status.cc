// checkFinite: is any element of a list of tensors NaN, infinite, or beyond its tensor's limit?
#include "cpu/base/status.h"

#include <cfloat>

#include "cpu/base/kernels.h"
#include "cpu/updates/update.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

// Whether −limit <= x <= limit holds for all, which it does for no NaN.
bool allWithin(const float* x, int64_t n, float limit) {
  const vf low = splat(-limit), high = splat(limit), one = splat(1.0f);
  vf bad = {};
  const auto check = [&](vf v) { bad = v <= high ? (v >= low ? bad : one) : one; };
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) check(load(x + i));
  if (i < n) check(loadTail(x + i, n - i));
  return sumLanes(bad) == 0.0f;
}

}  // namespace

Run op_checkFinite(Instruction& in) {
  const Operand status = in.inputs.at(0);
  const std::vector<Operand> tensors(in.inputs.begin() + 1, in.inputs.end());
  TensorChunks chunks;
  for (size_t t = 0; t < tensors.size(); ++t) chunks.add(static_cast<int>(t), tensors[t].size());
  const bool skip = in.integer("skip") != 0;
  const bool again = in.integer("again") != 0;
  const int64_t stepSlot = in.integer("stepSlot");
  const std::vector<double> limits = in.list("limits");
  const int64_t losses = in.integer("losses");
  return [=](const Step& step) {
    int32_t* words = status.i32(step);
    if (!again) words[kSkip] = 0;
    if (standsStill(words)) return;
    std::atomic<int> first{INT32_MAX};
    step.pool.parallel(chunks.count(), [&](int64_t i, int) {
      const auto chunk = chunks[i];
      const size_t t = static_cast<size_t>(chunk.tensor);
      if (allWithin(tensors[t].f32(step) + chunk.begin, chunk.end - chunk.begin,
                    static_cast<float>(limits.at(t))))
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
      countUp(words[kSkipped]);
    } else {
      const Operand& bad = tensors[static_cast<size_t>(first)];
      const bool isLoss = first >= static_cast<int64_t>(tensors.size()) - losses;
      const bool isFinite = allWithin(bad.f32(step), bad.size(), FLT_MAX);
      words[kStop] = isLoss ? 5 : isFinite ? 4 : 1;
    }
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
