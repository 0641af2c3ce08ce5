// Work on rows: a task is as many whole rows as make a chunk of elements, from the shape alone.
#pragma once

#include "chunks.h"

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

}  // namespace FLATMIN_ISA
}  // namespace flatmin
