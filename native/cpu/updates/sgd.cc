// SGD with momentum, Nesterov's form and weight decay; formula in formulas/updates.h.
#include "cpu/base/kernels.h"
#include "cpu/updates/update.h"
#include "formulas/updates.h"

namespace flatmin {
namespace FLATMIN_ISA {

Run op_sgd(Instruction& in) {
  const int64_t lrSlot = in.integer("lrSlot");
  const double weightDecay = in.number("weightDecay");
  const bool decoupled = in.integer("decoupled") != 0;
  formulas::SgdScalars fixed{0, static_cast<float>(in.number("momentum")),
                             decoupled ? 0.0f : static_cast<float>(weightDecay), 0,
                             in.integer("nesterov") != 0};
  auto scalars = [=](const Step& step) {
    formulas::SgdScalars s = fixed;
    s.lr = static_cast<float>(step.row[lrSlot]);
    s.shrink = decoupled ? static_cast<float>(step.row[lrSlot] * weightDecay) : 0.0f;
    return s;
  };
  if (fixed.momentum == 0) {
    const UpdateList<2> list(in);
    return [=](const Step& step) {
      const auto s = scalars(step);
      list.apply(step, [&](vf* v) { formulas::sgd(v[0], v[1], s); });
    };
  }
  const UpdateList<3> list(in);
  return [=](const Step& step) {
    const auto s = scalars(step);
    list.apply(step, [&](vf* v) { formulas::sgdMomentum(v[0], v[1], v[2], s); });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
