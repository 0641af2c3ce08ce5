// What operands of a product are rounded to: src/graph/precision.ts.
#pragma once

#include "formulas/elementary.h"
#include "program/kernel.h"

namespace flatmin {
namespace cuda {

// To the nearest, ties to even; infinities and NaN stay.
struct Rounding {
  int dropped = 0;  // of the 23 bits of a fraction

  FLATMIN_FORMULA float operator()(float x) const {
    const uint32_t bits = formulas::bitCast<uint32_t>(x);
    if (dropped == 0 || (bits & 0x7f800000u) == 0x7f800000u) return x;
    const uint32_t half = (1u << (dropped - 1)) - 1 + (bits >> dropped & 1);
    return formulas::bitCast<float>((bits + half) >> dropped << dropped);
  }
};

constexpr Rounding kTf32{13}, kBf16{16};

inline Rounding roundingOf(const Instruction& in) {
  if (in.attrs.count("fractionBits") == 0) return {};
  const Rounding rounding{23 - static_cast<int>(in.integer("fractionBits"))};
  if (rounding.dropped != kTf32.dropped && rounding.dropped != kBf16.dropped)
    throw ProgramError("fractionBits is neither 10 nor 7");
  return rounding;
}

}  // namespace cuda
}  // namespace flatmin
