// Eigendecomposition of a symmetric matrix, in float64 inside.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/linalg/matrix_status.h"
#include "cpu/eigen/panels.h"
#include "cpu/eigen/tridiagonal_merge.h"

namespace flatmin {
namespace FLATMIN_ISA {

size_t eighScratchBytes(int64_t n);

// The same bits on any pool. values: n, ascending. vectors: n x n, row i the unit vector of
// values[i]. Not ok when an entry is not finite or the iteration does not converge; the outputs are
// then undefined.
MatrixStatus eigh(Lower a, double* values, double* vectors, void* scratch, ThreadPool& pool);

// The same in two parts: what one thread does, the reduction to a tridiagonal matrix unless it is
// large, and the rest.
void beginEigh(Lower a, void* scratch);
MatrixStatus finishEigh(int64_t n, double* values, double* vectors, void* scratch,
                        ThreadPool& pool);

// And for callers that go on in panels: values unsorted, row i of tridiagonal.vectors the vector of
// tridiagonal.values[i]. The other matrices, each of paddedSize<double>(n) squared, are free then.
struct EighWork {
  double *matrix, *e, *tau, *columns;
  float* largest;  // |a_ij|, infinite where one is not finite
  TridiagonalWork tridiagonal;
};
EighWork takeEighWork(int64_t n, Scratch* scratch);
void beginPanels(Lower a, const EighWork& work);
MatrixStatus finishPanels(int64_t n, const EighWork& work, ThreadPool& pool);

}  // namespace FLATMIN_ISA
}  // namespace flatmin
