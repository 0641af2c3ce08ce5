// The ops that have a CPU kernel, one line each: `Run op_NAME(Instruction&)` prepares op NAME.
#pragma once

#include "../program/kernel.h"

// clang-format off
#define FLATMIN_KERNELS(KERNEL) \
  KERNEL(fill) \
  KERNEL(checkFinite) \
  KERNEL(sgd) \
  KERNEL(adamw) \
  KERNEL(lion) \
  KERNEL(globalNorm) \
  KERNEL(samPerturb) \
  KERNEL(restore) \
  KERNEL(linear) \
  KERNEL(matmul)
// clang-format on

namespace flatmin {
namespace FLATMIN_ISA {

#define FLATMIN_DECLARE(name) Run op_##name(Instruction& instruction);
FLATMIN_KERNELS(FLATMIN_DECLARE)
#undef FLATMIN_DECLARE

extern const KernelEntry kKernels[];

}  // namespace FLATMIN_ISA
}  // namespace flatmin
