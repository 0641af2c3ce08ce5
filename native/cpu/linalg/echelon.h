// Bases that depend on their span alone, whatever basis of it rounding left.
#pragma once

#include <cstdint>

namespace flatmin {
namespace FLATMIN_ISA {

// Turns orthonormal rows, rows x n, into others of the same span, which are a function of the span
// alone but for signs: row i is 0 in the pivots of the rows before it. A pivot is the first column
// whose squares in the rows left are near those of the largest. squares, along: n numbers; squares
// is left below 0 for pivots alone. column: `rows` numbers.
void echelon(double* m, int64_t rows, int64_t n, double* squares, double* along, double* column);

}  // namespace FLATMIN_ISA
}  // namespace flatmin
