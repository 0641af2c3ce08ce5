// bfloat16 as its 16 bits: the upper half of a float32.
#pragma once

#include <cstdint>

#include "elementary.h"

namespace flatmin {
namespace formulas {

// Of a float32's bits, in U or a vector of them: to the nearest, ties to even. Infinities stay, and
// every NaN becomes the same one.
template <class U>
FLATMIN_FORMULA U bf16Of(U bits) {
  const U rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
  const U nan = U() + 0x7fc0u;
  return (bits & 0x7fffffffu) > 0x7f800000u ? nan : rounded;
}

FLATMIN_FORMULA uint16_t narrowed(float x) {
  return static_cast<uint16_t>(bf16Of(bitCast<uint32_t>(x)));
}

FLATMIN_FORMULA float widened(uint16_t x) { return bitCast<float>(uint32_t{x} << 16); }

// Element i of a buffer of bfloat16, if it is narrow, or of float32.
FLATMIN_FORMULA float floatAt(const char* data, bool narrow, int64_t i) {
  return narrow ? widened(reinterpret_cast<const uint16_t*>(data)[i])
                : reinterpret_cast<const float*>(data)[i];
}

}  // namespace formulas
}  // namespace flatmin
