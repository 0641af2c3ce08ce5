// What the kernels of Lion's family read of their instruction: attributes lrSlot, beta1, beta2 and
// weightDecay.
#pragma once

#include "../program/kernel.h"
#include "updates.h"

namespace flatmin {
namespace formulas {

struct LionSlots {
  int64_t lrSlot;
  LionScalars fixed;

  explicit LionSlots(const Instruction& in) : lrSlot(in.integer("lrSlot")) {
    const double beta1 = in.number("beta1");
    const double beta2 = in.number("beta2");
    fixed = {0,
             static_cast<float>(beta1),
             static_cast<float>(beta2),
             static_cast<float>(in.number("weightDecay")),
             static_cast<float>(1 - beta1),
             static_cast<float>(1 - beta2)};
  }

  FLATMIN_FORMULA LionScalars at(const double* row) const {
    LionScalars s = fixed;
    s.lr = static_cast<float>(row[lrSlot]);
    return s;
  }
};

}  // namespace formulas
}  // namespace flatmin
