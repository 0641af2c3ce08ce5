// The rule of Lion's family, with a gradient of K for the sign.
#pragma once

#include "cuda/base/scalar.h"
#include "formulas/lion_slots.h"

namespace flatmin {
namespace cuda {

// As updateRun takes it; Gradient: float operator()(float c).
template <class Gradient>
struct LionRule {
  using Scalars = formulas::LionScalars;
  formulas::LionSlots slots;
  Gradient gradient;

  __device__ Scalars scalars(const double* row, const int32_t*) const { return slots.at(row); }
  __device__ void operator()(float* v, const Scalars& s) const {
    formulas::lion(v[0], v[1], v[2], s, gradient);
  }
};

}  // namespace cuda
}  // namespace flatmin
