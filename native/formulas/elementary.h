// exp, log (within 1.1 ulp), tanh (1.3) and sigmoid (2.4) in float32, right at ±0, denormals,
// overflow, ±∞ and NaN. F is float or a vector of floats, and I the unsigned integers of the same
// lanes: a choice is a ternary and a power of two is made from its bits, so that one source serves
// scalars and vectors. Minimax coefficients: Cephes (S. Moshier, single precision).
#pragma once

#include <cstdint>
#include <cstring>

#include "host_device.h"

namespace flatmin {
namespace formulas {

template <class To, class From>
FLATMIN_FORMULA To bitCast(From from) {
  static_assert(sizeof(To) == sizeof(From), "a reinterpretation of the same bits");
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

// 2^n for −126 <= n <= 127, from n in two's complement.
template <class F, class I>
FLATMIN_FORMULA F powerOfTwo(I n) {
  return bitCast<F, I>((n + 127u) << 23);
}

template <class F, class I>
FLATMIN_FORMULA F exp(F x) {
  constexpr float kRound =
      12582912.0f;  // 1.5 · 2^23: adding it leaves the nearest integer in the low bits
  x = x > 89.0f ? F{} + 89.0f : x;     // e^89 overflows
  x = x < -104.0f ? F{} - 104.0f : x;  // e^−104 is below half the least denormal
  const F shifted = x * 1.44269504088896341f + kRound;
  const F n = shifted - kRound;
  const F r = (x - n * 0.693359375f) + n * 2.12194440e-4f;  // the first factor has few bits: exact
  F p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  // In two steps, each within range: the second rounds to a denormal or overflows as it should.
  const I power = bitCast<I, F>(shifted) - bitCast<uint32_t, float>(kRound) + 512u;
  const I half = power >> 1;
  return p * powerOfTwo<F, I>(half - 256u) * powerOfTwo<F, I>(power - half - 256u);
}

template <class F, class I>
FLATMIN_FORMULA F log(F x) {
  constexpr uint32_t kSqrtHalf = 0x3f3504f3;
  const F normal = x < 1.17549435e-38f ? x * 8388608.0f : x;
  const I bits = bitCast<I, F>(normal) - kSqrtHalf;
  // x = 2^k (1 + f), √½ <= 1 + f < √2; k is biased by 256 to stay unsigned until it is a float.
  const I biased = (bits + (256u << 23)) >> 23;
  F k = bitCast<F, I>(biased | 0x4b000000u) - (8388608.0f + 256.0f);
  k = x < 1.17549435e-38f ? k - 23.0f : k;
  const F f = bitCast<F, I>((bits & 0x007fffffu) + kSqrtHalf) - 1.0f;
  const F z = f * f;
  F p = f * 7.0376836292e-2f - 1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f - 1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f - 1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f - 2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  F y = f * z * p - k * 2.12194440e-4f;
  y = (y - 0.5f * z) + f + k * 0.693359375f;
  const F infinity = F{} + __builtin_inff();
  y = x == 0.0f ? -infinity : y;
  y = x < 0.0f ? infinity - infinity : y;
  return x < infinity ? y : x;  // +∞ and NaN
}

template <class F, class I>
FLATMIN_FORMULA F tanh(F x) {
  const F size = bitCast<F, I>(bitCast<I, F>(x) & 0x7fffffffu);
  const F z = x * x;
  F p = z * -5.70498872745e-3f + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const F small = p * z * x + x;
  const F large = 1.0f - 2.0f / (exp<F, I>(size + size) + 1.0f);
  const F y = x < 0.0f ? -large : large;
  return size < 0.625f ? small : y;
}

// By e^−|x|, which neither overflows nor loses the lower tail.
template <class F, class I>
FLATMIN_FORMULA F sigmoid(F x) {
  const F e = exp<F, I>(x < 0.0f ? x : -x);
  return (x < 0.0f ? e : F{} + 1.0f) / (1.0f + e);
}

}  // namespace formulas
}  // namespace flatmin
