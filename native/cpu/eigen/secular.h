// The secular equation 1 + sum w_i / (d_i - x) = 0 of a diagonal matrix changed by a matrix of rank
// one (Bunch, Nielsen & Sorensen 1978; Gu & Eisenstat 1995).
#pragma once

#include <cstdint>

namespace flatmin {
namespace FLATMIN_ISA {

// Roots j to j + kLanesF64 - 1, j < count; those past the last are the last once more. Root j lies
// above d[j], below d[j + 1] or, for the last, at most the sum of w above. It is origins[j] +
// offsets[j], where the origin is the nearer of the two d around it, so that every d_i - x has full
// relative accuracy. d is strictly ascending and w positive. False when the iteration does not
// converge.
bool secularRoots(const double* d, const double* w, int64_t count, int64_t j, double* origins,
                  double* offsets);

}  // namespace FLATMIN_ISA
}  // namespace flatmin
