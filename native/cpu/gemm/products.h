// How an instruction multiplies matrices: in float32, or, where it has the attribute fractionBits,
// with operands that are rounded to so many bits.
#pragma once

#include "cpu/base/kernels.h"
#include "cpu/gemm/gemm.h"
#include "program/host.h"

namespace flatmin {
namespace FLATMIN_ISA {

inline bool isRounded(const Instruction& in) { return in.attrs.count("fractionBits") > 0; }

// What multiplies operands that the products themselves round; none where they do not.
PairUnit pairUnitOf(const Instruction& in);
inline bool multipliesBf16(const Instruction& in) { return pairUnitOf(in) != PairUnit::none; }

GemmFunctions gemmFunctionsOf(const Instruction& in);

// The kernel in float32, with its first two inputs rounded in scratch beforehand.
Run withRoundedOperands(Instruction& in, Run (*prepare)(Instruction&));

}  // namespace FLATMIN_ISA
}  // namespace flatmin
