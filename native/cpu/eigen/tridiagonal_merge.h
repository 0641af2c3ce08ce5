// Two solved halves of a tridiagonal matrix put together (Cuppen 1981; Gu & Eisenstat 1995): the
// eigenproblem of diag(d) + rho z z^T, z of the rows that meet.
#pragma once

#include <cstdint>

#include "program/thread_pool.h"

namespace flatmin {
namespace FLATMIN_ISA {

// Rows and columns [low, mid) and [mid, high) are solved, low and mid multiples of 16; between them
// stood `beside`, whose size was taken from both diagonal entries that meet.
struct Merge {
  int64_t low, mid, high;
  double beside;
  int64_t depth;
  int64_t count, leftOnly, left;  // rows that do not deflate: all, those in the left half alone,
                                  // those in the left half (and maybe in the right one)
};

// Panels of paddedSize<double>(n) squared and arrays of paddedSize<double>(n). In [low, high) of a
// matrix: values and rows of vectors; the rest is working space.
struct TridiagonalWork {
  double *values, *vectors;
  double *packed, *coefficients;
  double *sorted, *weights, *typed, *z, *origins, *offsets;
  int64_t *order, *rows;
  Merge* merges;  // size / 16
};

// Puts together `merges` that share no rows. False when the secular equation does not converge.
bool mergeHalves(Merge* merges, int64_t count, int64_t size, const TridiagonalWork& work,
                 ThreadPool& pool);

}  // namespace FLATMIN_ISA
}  // namespace flatmin
