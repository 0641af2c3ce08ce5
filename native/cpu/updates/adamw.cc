// Adam, AdamW and AMSGrad; formulas in formulas/updates.h.
#include <cmath>

#include "cpu/base/kernels.h"
#include "cpu/base/lanewise.h"
#include "cpu/updates/update.h"
#include "formulas/updates.h"

namespace flatmin {
namespace FLATMIN_ISA {

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
  auto scalars = [=](const Step& step, const int32_t* status) {
    formulas::AdamwScalars s = fixed;
    const double t = step.row[stepSlot] - status[kSkipped];
    s.lr = static_cast<float>(step.row[lrSlot]);
    s.correction1 = static_cast<float>(1 / (1 - std::pow(beta1, t)));
    s.correction2 = static_cast<float>(1 / (1 - std::pow(beta2, t)));
    return s;
  };
  if (in.integer("amsgrad") == 0) {
    const UpdateList<4> list(in);
    return [=](const Step& step) {
      const auto s = scalars(step, list.status.i32(step));
      list.apply(step, [&](vf* v) { formulas::adamw(v[0], v[1], v[2], v[3], s, sqrtOf); });
    };
  }
  const UpdateList<5> list(in);
  return [=](const Step& step) {
    const auto s = scalars(step, list.status.i32(step));
    list.apply(step, [&](vf* v) { formulas::amsgrad(v[0], v[1], v[2], v[3], v[4], s, sqrtOf); });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
