// The secular equation 1 + sum w_i / (d_i - x) = 0 of a diagonal matrix changed by a matrix of rank
// one (Bunch, Nielsen & Sorensen 1978; Gu & Eisenstat 1995).
#pragma once

#include <cstdint>

namespace flatmin {
namespace FLATMIN_ISA {

// x = d[origin] + offset, from the nearer of the two d around it, so that every d_i - x has full
// relative accuracy.
struct SecularRoot {
  int64_t origin;
  double offset;
};

// The root above d[j], below d[j + 1] or, for the last j, at most the sum of w above. d is strictly
// ascending and w positive; both are padded to whole vectors, w with zeros, d with finite numbers
// above all roots. False when the iteration does not converge.
bool secularRoot(const double* d, const double* w, int64_t count, int64_t j, SecularRoot* root);

}  // namespace FLATMIN_ISA
}  // namespace flatmin
