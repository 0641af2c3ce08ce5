// Work on rows of a matrix. A task is as many whole rows as make a chunk of elements, from the
// shape alone.
#pragma once

#include "cpu/base/chunks.h"

namespace flatmin {
namespace FLATMIN_ISA {

static inline int64_t rowsPerTask(int64_t width) {
  return std::max<int64_t>(1, kChunk / std::max<int64_t>(1, width));
}
static inline int64_t rowTasks(int64_t rows, int64_t width) {
  return (rows + rowsPerTask(width) - 1) / rowsPerTask(width);
}

// body(begin, end, task) over [0, rows).
template <class Body>
static inline void forRows(ThreadPool& pool, int64_t rows, int64_t width, Body body) {
  const int64_t perTask = rowsPerTask(width);
  pool.parallel(rowTasks(rows, width), [&](int64_t task, int) {
    const int64_t begin = task * perTask;
    body(begin, std::min(rows, begin + perTask), task);
  });
}

// The first n lanes of v, the others `rest`.
static inline vf keepLanes(vf v, int64_t n, float rest) {
  for (int l = 0; l < kLanes; ++l) v[l] = l < n ? v[l] : rest;
  return v;
}

// The larger of two, NaN when either is.
template <class T>
static inline T larger(T a, T b) {
  return a != a ? a : (b <= a ? a : b);
}

// The largest of a row: NaN when any element is, −∞ of nothing.
static inline float maxOf(const float* x, int64_t n) {
  vf top = splat(-__builtin_inff());
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) top = larger(top, load(x + i));
  if (i < n) top = larger(top, keepLanes(loadTail(x + i, n - i), n - i, -__builtin_inff()));
  return foldLanes(top, [](auto a, auto b) { return larger(a, b); });
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
