// The quadratic model M(δ) = ∇hᵀδ + ½δᵀCδ over δ = −αu + μd, d the last update (Martens & Grosse
// 2015, 6.4 and 7), in the five numbers that make it up.
#pragma once

#include "host_device.h"

namespace flatmin {
namespace formulas {

// Below it, as a part of uᵀCu · dᵀCd, a determinant is rounding of float32 curvatures.
constexpr double kSingular = 1e-6;

struct QuadraticModel {
  double uCu, uCd, dCd;
  double slopeU, slopeD;  // ∇hᵀu, ∇hᵀd
};

struct ModelStep {
  double alpha, mu;
  double change;  // M(δ)
};

// The least of M; along u alone where u and d are dependent, nothing where M has no curvature.
FLATMIN_FORMULA ModelStep solve(const QuadraticModel& m) {
  ModelStep step = {0, 0, 0};
  const double determinant = m.uCu * m.dCd - m.uCd * m.uCd;
  if (determinant > kSingular * m.uCu * m.dCd) {
    step.alpha = (m.slopeU * m.dCd - m.slopeD * m.uCd) / determinant;
    step.mu = (m.slopeU * m.uCd - m.slopeD * m.uCu) / determinant;
  } else if (m.uCu > 0) {
    step.alpha = m.slopeU / m.uCu;
  }
  step.change = 0.5 * (step.mu * m.slopeD - step.alpha * m.slopeU);
  return step;
}

}  // namespace formulas
}  // namespace flatmin
