// GELU, exact and by tanh, and SiLU, with their slopes; F and I as in elementary.h.
#pragma once

#include "elementary.h"

namespace flatmin {
namespace formulas {

// e^(-x^2/2): x to twelve bits has an exact square, and what is left is small, so that the exponent
// is as good far out as near 0.
template <class F, class I>
FLATMIN_FORMULA F bell(F x) {
  const F high = bitCast<F, I>(bitCast<I, F>(x) & 0xfffff000u);
  return exp<F, I>(-0.5f * high * high) * exp<F, I>(-0.5f * (x - high) * (x + high));
}

// Beyond it e^(-x^2/2) is 0 in float32.
constexpr float kFarOut = 15.0f;

// The standard normal distribution's tail beyond |x| is bell(|x|) scaledTail(|x|). Least squares at
// Chebyshev's nodes in 1/(1 + 0.3 a) for a up to 15; relative error 4e-9.
template <class F>
FLATMIN_FORMULA F scaledTail(F a) {
  const F t = 1.0f / (1.0f + 0.3f * a);
  F p = t * -2.083331756e-02f + 1.135631502e-01f;
  p = p * t - 2.308303439e-01f;
  p = p * t + 1.952182752e-01f;
  p = p * t - 8.222337656e-02f;
  p = p * t + 9.762377967e-02f;
  p = p * t + 7.789724266e-02f;
  p = p * t + 1.103372546e-01f;
  p = p * t + 1.195600693e-01f;
  p = p * t + 1.196872644e-01f;
  return p * t;
}

// |x|, of NaN too, so that x is the only NaN in a product: which one of two comes out is the
// compiler's choice.
template <class F, class I>
FLATMIN_FORMULA F sizeOf(F x) {
  const F a = bitCast<F, I>(bitCast<I, F>(x) & 0x7fffffffu);
  return a < kFarOut ? a : F{} + kFarOut;
}

// x Phi(x).
template <class F, class I>
FLATMIN_FORMULA F gelu(F x) {
  const F a = sizeOf<F, I>(x);
  const F tail = bell<F, I>(a) * scaledTail(a);
  return x * (x < 0.0f ? tail : 1.0f - tail);
}

// Phi(x) + x phi(x).
template <class F, class I>
FLATMIN_FORMULA F geluSlope(F x) {
  constexpr float kDensity = 0.398942280401432678f;  // 1 / sqrt(2 pi)
  const F a = sizeOf<F, I>(x);
  const F below = bell<F, I>(a) * (scaledTail(a) - a * kDensity);
  const F slope = x < 0.0f ? below : 1.0f - below;
  return x == x ? slope : x;
}

// x s, s being the sigmoid of a function of x with the given slope, and its own slope.
template <class F>
FLATMIN_FORMULA F gated(F x, F s) {
  return x == x ? x * s : x;
}
template <class F>
FLATMIN_FORMULA F gatedSlope(F x, F s, F slope) {
  const F between = s + x * s * (1.0f - s) * slope;
  const F result = (s == 0.0f) | (s == 1.0f) ? s : between;
  return x == x ? result : x;
}

constexpr float kCubic = 0.044715f, kTwiceRoot = 1.59576912160573071f;  // 2 sqrt(2 / pi)

template <class F, class I>
FLATMIN_FORMULA F geluTanhGate(F x) {
  return sigmoid<F, I>(kTwiceRoot * (x + kCubic * x * x * x));
}
template <class F, class I>
FLATMIN_FORMULA F geluTanh(F x) {
  return gated<F>(x, geluTanhGate<F, I>(x));
}
template <class F, class I>
FLATMIN_FORMULA F geluTanhSlope(F x) {
  return gatedSlope<F>(x, geluTanhGate<F, I>(x), kTwiceRoot * (1.0f + 3.0f * kCubic * x * x));
}

template <class F, class I>
FLATMIN_FORMULA F silu(F x) {
  return gated<F>(x, sigmoid<F, I>(x));
}
template <class F, class I>
FLATMIN_FORMULA F siluSlope(F x) {
  return gatedSlope<F>(x, sigmoid<F, I>(x), F{} + 1.0f);
}

// x within [min, max]; NaN stays.
struct Clip {
  float min, max;

  template <class F>
  FLATMIN_FORMULA F operator()(F x) const {
    const F above = x < min ? F{} + min : x;
    return above > max ? F{} + max : above;
  }
};

}  // namespace formulas
}  // namespace flatmin
