// Lion (arXiv 2302.06675): one pass over θ, g, m; formula in formulas/updates.h.
#include "../formulas/updates.h"
#include "kernels.h"
#include "update.h"

namespace flatmin {
namespace FLATMIN_ISA {

// −1, 0 or 1; NaN stays NaN.
static inline vf signOf(vf c) {
  const vf one = splat(1.0f);
  const vf zero = {};
  return c > zero ? one : (c < zero ? -one : c);
}

Run op_lion(Instruction& in) {
  const int64_t lrSlot = in.integer("lrSlot");
  const double beta1 = in.number("beta1");
  const double beta2 = in.number("beta2");
  formulas::LionScalars fixed{0,
                              static_cast<float>(beta1),
                              static_cast<float>(beta2),
                              static_cast<float>(in.number("weightDecay")),
                              static_cast<float>(1 - beta1),
                              static_cast<float>(1 - beta2)};
  const UpdateList<3> list(in);
  return [=](const Step& step) {
    formulas::LionScalars s = fixed;
    s.lr = static_cast<float>(step.row[lrSlot]);
    list.apply(step, [&](vf* v) { formulas::lion(v[0], v[1], v[2], s, signOf); });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
