// The CUDA kernel of every op: `Run op_NAME(Instruction&)` prepares op NAME.
#pragma once

#include "ops/list.h"
#include "program/kernel.h"

namespace flatmin {
namespace cuda {

#define FLATMIN_DECLARE(name) Run op_##name(Instruction& instruction);
FLATMIN_OPS(FLATMIN_DECLARE)
#undef FLATMIN_DECLARE

extern const KernelEntry kKernels[];

}  // namespace cuda
}  // namespace flatmin
