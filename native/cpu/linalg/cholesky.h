// Inverse of a damped symmetric positive definite matrix, in float64 inside.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/base/lower.h"
#include "cpu/linalg/matrix_status.h"
#include "program/thread_pool.h"

namespace flatmin {
namespace FLATMIN_ISA {

size_t choleskyInverseScratchBytes(int64_t n);

// out = (A + damping I)^-1, n x n, row-major; it may be that of a. out is symmetric to the bit, the
// same on any pool, and written only when the status is ok. notPositive: a pivot <= 0.
MatrixStatus choleskyInverse(Lower a, double damping, float* out, void* scratch, ThreadPool& pool);

}  // namespace FLATMIN_ISA
}  // namespace flatmin
