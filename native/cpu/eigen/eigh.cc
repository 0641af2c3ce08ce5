// Symmetric eigenproblem: Householder reduction to a tridiagonal matrix, its eigenvectors by divide
// and conquer, the reflections applied to them.
#include "cpu/eigen/eigh.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cpu/eigen/householder.h"
#include "cpu/eigen/tridiagonal.h"

namespace flatmin {
namespace FLATMIN_ISA {

EighWork takeEighWork(int64_t n, Scratch* scratch) {
  const int64_t size = paddedSize<double>(n);
  EighWork work;
  work.matrix = scratch->take<double>(size * rowStride(size));
  work.e = scratch->take<double>(size);
  work.tau = scratch->take<double>(size);
  work.columns = scratch->take<double>(kReductionColumns * rowStride(size));
  work.largest = scratch->take<float>(1);
  TridiagonalWork& t = work.tridiagonal;
  for (double** matrix : {&t.vectors, &t.packed, &t.coefficients})
    *matrix = scratch->take<double>(size * size);
  for (double** array : {&t.values, &t.sorted, &t.weights, &t.typed, &t.z, &t.origins, &t.offsets})
    *array = scratch->take<double>(size);
  for (int64_t** array : {&t.order, &t.rows}) *array = scratch->take<int64_t>(size);
  t.merges = scratch->take<Merge>(size / 16);
  return work;
}

namespace {

// The power of two that brings the largest entry to [1/2, 1).
int exponentOf(const EighWork& work) {
  int exponent = 0;
  std::frexp(*work.largest, &exponent);
  return exponent;
}

void reduce(int64_t n, const EighWork& work, ThreadPool& pool) {
  tridiagonalise(work.matrix, n, paddedSize<double>(n), work.tridiagonal.values, work.e, work.tau,
                 work.columns, pool);
}

}  // namespace

void beginPanels(Lower a, const EighWork& work) {
  constexpr int64_t W = kPanel<double>;
  const int64_t n = a.n, size = paddedSize<double>(n), stride = rowStride(size);
  *work.largest = largestOf(a);
  if (!std::isfinite(*work.largest)) return;
  const double scale = std::ldexp(1.0, -exponentOf(work));
  for (int64_t r = 0; r < size; ++r) {
    double* row = work.matrix + r * stride;
    const int64_t length = r < n ? r + 1 : 0;
    const float* from = a.row(r);
    for (int64_t c = 0; c < length; ++c) row[c] = scale * from[c];
    std::fill(row + length, row + size, 0.0);
    for (int64_t c = r / W * W; c < length; ++c) work.matrix[c * stride + r] = row[c];
  }
  std::fill(work.tau, work.tau + size, 0.0);
  if (n >= kManyThreads) return;
  ThreadPool alone(1);
  reduce(n, work, alone);
}

MatrixStatus finishPanels(int64_t n, const EighWork& work, ThreadPool& pool) {
  const TridiagonalWork& t = work.tridiagonal;
  if (!std::isfinite(*work.largest)) return MatrixStatus::notFinite;
  if (n >= kManyThreads) reduce(n, work, pool);
  if (!tridiagonalEigen(work.e, n, t, pool)) return MatrixStatus::notConverged;
  applyReflectors(work.matrix, work.tau, n, paddedSize<double>(n), t.vectors, t.packed,
                  t.coefficients, pool);
  for (int64_t i = 0; i < n; ++i) t.values[i] = std::ldexp(t.values[i], exponentOf(work));
  return MatrixStatus::ok;
}

size_t eighScratchBytes(int64_t n) {
  Scratch scratch(nullptr);
  takeEighWork(n, &scratch);
  scratch.take<int64_t>(n);
  return scratch.bytes();
}

void beginEigh(Lower a, void* memory) {
  Scratch scratch(memory);
  beginPanels(a, takeEighWork(a.n, &scratch));
}

MatrixStatus finishEigh(int64_t n, double* values, double* vectors, void* memory,
                        ThreadPool& pool) {
  Scratch scratch(memory);
  const EighWork work = takeEighWork(n, &scratch);
  int64_t* order = scratch.take<int64_t>(n);
  const MatrixStatus found = finishPanels(n, work, pool);
  if (found != MatrixStatus::ok) return found;
  const double* unsorted = work.tridiagonal.values;
  std::iota(order, order + n, int64_t{0});
  std::stable_sort(order, order + n,
                   [=](int64_t i, int64_t j) { return unsorted[i] < unsorted[j]; });
  const int64_t size = paddedSize<double>(n);
  for (int64_t i = 0; i < n; ++i) {
    values[i] = unsorted[order[i]];
    for (int64_t c = 0; c < n; ++c)
      vectors[i * n + c] = at(work.tridiagonal.vectors, size, order[i], c);
  }
  return MatrixStatus::ok;
}

MatrixStatus eigh(Lower a, double* values, double* vectors, void* memory, ThreadPool& pool) {
  beginEigh(a, memory);
  return finishEigh(a.n, values, vectors, memory, pool);
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
