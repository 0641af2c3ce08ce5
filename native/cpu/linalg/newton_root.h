// Coupled Newton for A^(-1/p), p an integer: matrix products only, float32 and then, where that
// fails, float64.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/linalg/inverse_root.h"

namespace flatmin {
namespace FLATMIN_ISA {

size_t newtonRootScratchBytes(int64_t n);
RootResult newtonRoot(Lower a, const RootOptions& options, float* out, void* scratch,
                      ThreadPool& pool);

}  // namespace FLATMIN_ISA
}  // namespace flatmin
