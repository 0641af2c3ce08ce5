// Adam and AdamW; formula in formulas/updates.h.
#include <cmath>

#include "../formulas/updates.h"
#include "kernels.h"
#include "update.h"

namespace flatmin {
namespace FLATMIN_ISA {

static inline vf sqrtOf(vf x) {
  for (int i = 0; i < kLanes; ++i) x[i] = std::sqrt(x[i]);
  return x;
}

Run op_adamw(Instruction& in) {
  const int64_t lrSlot = in.integer("lrSlot");
  const int64_t stepSlot = in.integer("stepSlot");
  const double beta1 = in.number("beta1");
  const double beta2 = in.number("beta2");
  const float weightDecay = static_cast<float>(in.number("weightDecay"));
  const bool decoupled = in.integer("decoupled") != 0;
  formulas::AdamwScalars fixed{0,
                               static_cast<float>(beta1),
                               static_cast<float>(beta2),
                               static_cast<float>(in.number("eps")),
                               decoupled ? 0.0f : weightDecay,
                               decoupled ? weightDecay : 0.0f,
                               static_cast<float>(1 - beta1),
                               static_cast<float>(1 - beta2),
                               0,
                               0};
  const UpdateList<4> list(in);
  return [=](const Step& step) {
    formulas::AdamwScalars s = fixed;
    const double t = step.row[stepSlot] - list.status.i32(step)[kSkipped];
    s.lr = static_cast<float>(step.row[lrSlot]);
    s.correction1 = static_cast<float>(1 / (1 - std::pow(beta1, t)));
    s.correction2 = static_cast<float>(1 / (1 - std::pow(beta2, t)));
    list.apply(step, [&](vf* v) { formulas::adamw(v[0], v[1], v[2], v[3], s, sqrtOf); });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
