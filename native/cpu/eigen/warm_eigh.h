// Eigendecomposition from the eigenvectors of a matrix nearby (src/linalg/warm-eigh.ts).
#pragma once

#include "cpu/eigen/eigh.h"

namespace flatmin {
namespace FLATMIN_ISA {

// basis: n x n, row-major, rows of unit vectors. As finishPanels, without beginPanels before it.
// False, and the work undefined, where there has to be a decomposition from nothing: an entry is
// not finite, the trace not positive, the basis none, or thirty sweeps do not suffice.
bool warmPanels(Lower a, const float* basis, const EighWork& work, ThreadPool& pool);

}  // namespace FLATMIN_ISA
}  // namespace flatmin
