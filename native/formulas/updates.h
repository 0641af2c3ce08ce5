// Update rules of the first-order optimizers on one element, or on a vector of them: F is float or
// a vector type. A formula reads the old values, and writes the new ones through its references.
#pragma once

#include <cfloat>

#include "host_device.h"

namespace flatmin {
namespace formulas {

// Sums of squares end at the largest float, where an infinite one would freeze its element for good;
// NaN stays.
template <class F>
FLATMIN_FORMULA F held(F v) {
  const F most = F{} + FLT_MAX;
  return v > most ? most : v;
}

struct SgdScalars {
  float lr, momentum, coupled, shrink;  // shrink = lr * weightDecay when decoupled
  bool nesterov;
};

// v ← μv + d, θ ← θ − η(v, or d + μv), d = g + λθ
template <class F>
FLATMIN_FORMULA void sgdMomentum(F& p, F g, F& v, const SgdScalars& s) {
  const F d = g + s.coupled * p;
  v = s.momentum * v + d;
  const F u = s.nesterov ? d + s.momentum * v : v;
  p = p - (s.lr * u + s.shrink * p);
}

template <class F>
FLATMIN_FORMULA void sgd(F& p, F g, const SgdScalars& s) {
  const F d = g + s.coupled * p;
  p = p - (s.lr * d + s.shrink * p);
}

struct LionScalars {
  float lr, beta1, beta2, weightDecay;
  float rest1, rest2;  // 1 − β, rounded once: 1.0f − 0.999f is off by 1.3e-5
};

// θ ← θ − η(sign(β₁m + (1−β₁)g) + λθ), m ← β₂m + (1−β₂)g; `sign` is the caller's, for F
template <class F, class Sign>
FLATMIN_FORMULA void lion(F& p, F g, F& m, const LionScalars& s, Sign sign) {
  const F c = s.beta1 * m + s.rest1 * g;
  p = p - s.lr * (sign(c) + s.weightDecay * p);
  m = s.beta2 * m + s.rest2 * g;
}

struct AdamwScalars {
  float lr, beta1, beta2, eps, coupled, shrink;
  float rest1, rest2;              // 1 − β
  float correction1, correction2;  // 1 / (1 − βᵗ)
};

// m ← β₁m + (1−β₁)d, v ← β₂v + (1−β₂)d², θ ← θ − η(m̂/(√v̂ + ε) + λθ)
template <class F, class Sqrt>
FLATMIN_FORMULA void adamw(F& p, F g, F& m, F& v, const AdamwScalars& s, Sqrt sqrt) {
  const F d = g + s.coupled * p;
  m = s.beta1 * m + s.rest1 * d;
  v = held(s.beta2 * v + s.rest2 * d * d);
  p = p - s.lr * (s.correction1 * m / (sqrt(s.correction2 * v) + s.eps) + s.shrink * p);
}

// The same with the largest v so far; a NaN stays.
template <class F, class Sqrt>
FLATMIN_FORMULA void amsgrad(F& p, F g, F& m, F& v, F& top, const AdamwScalars& s, Sqrt sqrt) {
  const F d = g + s.coupled * p;
  m = s.beta1 * m + s.rest1 * d;
  v = held(s.beta2 * v + s.rest2 * d * d);
  top = v <= top ? top : v;
  p = p - s.lr * (s.correction1 * m / (sqrt(s.correction2 * top) + s.eps) + s.shrink * p);
}

struct AdagradScalars {
  float lr, decay, weight, eps, coupled, shrink;
  bool epsInsideSqrt;
};

// v ← decay·v + weight·d², θ ← θ − η(d/(√v + ε), or d/√(v + ε), + λθ)
template <class F, class Sqrt>
FLATMIN_FORMULA void adagrad(F& p, F g, F& v, const AdagradScalars& s, Sqrt sqrt) {
  const F d = g + s.coupled * p;
  v = held(s.decay * v + s.weight * d * d);
  const F root = s.epsInsideSqrt ? sqrt(v + s.eps) : sqrt(v) + s.eps;
  p = p - s.lr * (d / root + s.shrink * p);
}

}  // namespace formulas
}  // namespace flatmin
