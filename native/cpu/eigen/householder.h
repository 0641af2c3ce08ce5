// Householder reduction of a symmetric matrix to a tridiagonal one, and the way back.
#pragma once

#include <cstdint>

#include "program/thread_pool.h"

namespace flatmin {
namespace FLATMIN_ISA {

inline constexpr int64_t kReductionColumns = 7;
// From this order on the reduction gains by more threads.
inline constexpr int64_t kManyThreads = 512;

// Of the rows that are reduced. A power of two would bring them all to the same lines of the cache.
inline int64_t rowStride(int64_t size) { return size % 256 == 0 ? size + 16 : size; }

// a: rows rowStride(size) apart, size = paddedSize<double>(n), the lower triangle and zeros around,
// but blocks of kPanel on the diagonal whole. Leaves the diagonal d and e, e[i] beside d[i] and d[i
// + 1]. Row i of a is left holding v of the reflector I - tau[i] v v^T that acts on the first i
// coordinates, zero from i on. columns: kReductionColumns rowStride(size). tau: size.
void tridiagonalise(double* a, int64_t n, int64_t size, double* d, double* e, double* tau,
                    double* columns, ThreadPool& pool);

// rows <- rows H(1) H(2) ... H(n - 1): from vectors of the tridiagonal matrix to those of the first
// one. rows: panels. panels, factors: working space of size^2 and kPanel size.
void applyReflectors(const double* reflectors, const double* tau, int64_t n, int64_t size,
                     double* rows, double* panels, double* factors, ThreadPool& pool);

}  // namespace FLATMIN_ISA
}  // namespace flatmin
