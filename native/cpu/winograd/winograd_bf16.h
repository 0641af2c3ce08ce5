// winograd.h with the transformed tiles and the transformed weight rounded to bfloat16, on
// processors that multiply pairs of it.
#pragma once

#include "cpu/winograd/winograd.h"

namespace flatmin {
namespace FLATMIN_ISA {

Run winogradBf16(Instruction& instruction, const WinogradConvolution& conv, Operand x,
                 Operand weight, Operand bias, Operand y);
Run winogradBf16GradWeight(Instruction& instruction, const WinogradConvolution& conv, Operand x,
                           Operand dy, Operand dw, Operand db);

}  // namespace FLATMIN_ISA
}  // namespace flatmin
