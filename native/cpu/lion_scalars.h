// What the kernels of Lion's family read of their instruction.
#pragma once

#include "../formulas/updates.h"
#include "../program/kernel.h"

namespace flatmin {
namespace FLATMIN_ISA {

// Attributes lrSlot, beta1, beta2 and weightDecay.
struct LionSlots {
  int64_t lrSlot;
  formulas::LionScalars fixed;

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

  formulas::LionScalars at(const Step& step) const {
    formulas::LionScalars s = fixed;
    s.lr = static_cast<float>(step.row[lrSlot]);
    return s;
  }
};

}  // namespace FLATMIN_ISA
}  // namespace flatmin
