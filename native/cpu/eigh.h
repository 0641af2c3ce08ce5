// Eigendecomposition of a symmetric matrix, in float64 inside. Only the lower triangle is read.
#pragma once

#include <cstddef>
#include <cstdint>

#include "panels.h"

namespace flatmin {
namespace FLATMIN_ISA {

size_t eighScratchBytes(int64_t n);

// a: n x n, row-major, the same bits on any pool. values: n, ascending. vectors: n x n, row i the
// unit vector of values[i]. False when an entry is not finite (or the iteration does not converge);
// the outputs are then undefined.
bool eigh(const float* a, int64_t n, double* values, double* vectors, void* scratch,
          ThreadPool& pool);

// The same for callers that go on in panels: values unsorted, row i of the panels (width
// kPanel<double>) the vector of values[i]. work: eighPanelsWork. Both matrices:
// paddedSize<double>(n) squared.
struct EighWork {
  double *matrix, *panels, *vectors, *e, *tau, *columns, *rotations;
  int64_t* sweeps;
};
EighWork takeEighWork(int64_t n, Scratch* scratch);
bool eighPanels(const float* a, int64_t n, double* values, const EighWork& work, ThreadPool& pool);

}  // namespace FLATMIN_ISA
}  // namespace flatmin
