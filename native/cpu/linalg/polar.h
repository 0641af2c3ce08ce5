// The polar factor U V^T of a matrix X = U S V^T, in float64 inside.
#pragma once

#include <cstddef>
#include <cstdint>

namespace flatmin {
namespace FLATMIN_ISA {

size_t polarScratchBytes(int64_t rows, int64_t cols);

// x: rows x cols with rows <= cols, row-major; replaced by its polar factor. Singular values below
// cols * 2^-52 of the largest count as zero, and their vectors are left out; `leading` leaves only
// those of the largest, the first of equals. False, and x of no account, where pairs of rows are
// still turned in the last of `sweeps`.
bool polarFactor(float* x, int64_t rows, int64_t cols, bool leading, int64_t sweeps,
                 void* scratch);

}  // namespace FLATMIN_ISA
}  // namespace flatmin
