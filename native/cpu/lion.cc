// Lion (arXiv 2302.06675): one pass over θ, g, m; formula in formulas/updates.h.
#include "kernels.h"
#include "lanewise.h"
#include "lion_scalars.h"
#include "update.h"

namespace flatmin {
namespace FLATMIN_ISA {

Run op_lion(Instruction& in) {
  const LionSlots slots(in);
  const UpdateList<3> list(in);
  return [=](const Step& step) {
    const formulas::LionScalars s = slots.at(step);
    list.apply(step, [&](vf* v) { formulas::lion(v[0], v[1], v[2], s, signOf); });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
