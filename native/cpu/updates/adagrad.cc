// Adagrad (Duchi et al. 2010) and RMSProp (Tieleman & Hinton 2012); formula in formulas/updates.h.
#include "cpu/base/kernels.h"
#include "cpu/base/lanewise.h"
#include "cpu/updates/update.h"
#include "formulas/updates.h"

namespace flatmin {
namespace FLATMIN_ISA {

Run op_adagrad(Instruction& in) {
  const int64_t lrSlot = in.integer("lrSlot");
  const float weightDecay = static_cast<float>(in.number("weightDecay"));
  const bool decoupled = in.integer("decoupled") != 0;
  const formulas::AdagradScalars fixed{0,
                                       static_cast<float>(in.number("decay")),
                                       static_cast<float>(in.number("weight")),
                                       static_cast<float>(in.number("eps")),
                                       decoupled ? 0.0f : weightDecay,
                                       decoupled ? weightDecay : 0.0f,
                                       in.integer("epsInsideSqrt") != 0};
  const UpdateList<3> list(in);
  return [=](const Step& step) {
    formulas::AdagradScalars s = fixed;
    s.lr = static_cast<float>(step.row[lrSlot]);
    list.apply(step, [&](vf* v) { formulas::adagrad(v[0], v[1], v[2], s, sqrtOf); });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
