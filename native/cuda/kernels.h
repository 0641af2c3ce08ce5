// The ops that have a CUDA kernel, one line each: `Run op_NAME(Instruction&)` prepares op NAME.
#pragma once

#include "program/kernel.h"

// clang-format off
#define FLATMIN_CUDA_KERNELS(KERNEL) \
  KERNEL(fill) \
  KERNEL(relu) \
  KERNEL(tanh) \
  KERNEL(sigmoid) \
  KERNEL(exp) \
  KERNEL(log) \
  KERNEL(sqrt) \
  KERNEL(square) \
  KERNEL(sign) \
  KERNEL(abs) \
  KERNEL(affine) \
  KERNEL(reluGrad) \
  KERNEL(tanhGrad) \
  KERNEL(sigmoidGrad)
// clang-format on

namespace flatmin {
namespace cuda {

#define FLATMIN_DECLARE(name) Run op_##name(Instruction& instruction);
FLATMIN_CUDA_KERNELS(FLATMIN_DECLARE)
#undef FLATMIN_DECLARE

extern const KernelEntry kKernels[];

}  // namespace cuda
}  // namespace flatmin
