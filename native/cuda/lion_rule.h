// What the kernels of Lion's family share: scalars from attributes and row, and the rule with a
// gradient of K for the sign.
#pragma once

#include "cuda/scalar.h"
#include "formulas/updates.h"

namespace flatmin {
namespace cuda {

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

  __device__ formulas::LionScalars at(const double* row) const {
    formulas::LionScalars s = fixed;
    s.lr = static_cast<float>(row[lrSlot]);
    return s;
  }
};

// As updateRun takes it; Gradient: float operator()(float c).
template <class Gradient>
struct LionRule {
  using Scalars = formulas::LionScalars;
  LionSlots slots;
  Gradient gradient;

  __device__ Scalars scalars(const double* row, const int32_t*) const { return slots.at(row); }
  __device__ void operator()(float* v, const Scalars& s) const {
    formulas::lion(v[0], v[1], v[2], s, gradient);
  }
};

}  // namespace cuda
}  // namespace flatmin
