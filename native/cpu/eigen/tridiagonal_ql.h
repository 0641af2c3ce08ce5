// Implicit QL with Wilkinson's shift (EISPACK tql2), for small tridiagonal matrices.
#pragma once

#include <cstdint>

namespace flatmin {
namespace FLATMIN_ISA {

inline constexpr int64_t kMaxQl = 24;

// Eigenvalues of the tridiagonal matrix of order n <= kMaxQl into d, not sorted; e is destroyed.
// Entries are of order 1 or less. rows: the first n rows of panels of `size` rows, turned along, so
// that of the identity row i becomes the vector of d[i]. False when the iteration does not
// converge.
bool implicitQl(double* d, double* e, int64_t n, double* rows, int64_t size);

}  // namespace FLATMIN_ISA
}  // namespace flatmin
