// Rows of a batch through the steps of an LSTM, a few rows to a task: they share what is read of
// the recurrent weight. Units stand in blocks of a vector.
#pragma once

#include <algorithm>
#include <utility>

#include "cpu/base/simd.h"
#include "program/kernel.h"

namespace flatmin {
namespace FLATMIN_ISA {

// Gates of a step: 4H numbers, those of i, then of f, g and o.
inline constexpr int kGates = 4;

// Rows of a task: as many as have accumulators for a vector of each gate in registers.
#if defined(__AVX512F__)
inline constexpr int kGroupRows = 4;
#else
inline constexpr int kGroupRows = 2;
#endif

struct Recurrence {
  int64_t batch, steps, hidden;

  explicit Recurrence(const Operand& gates)
      : batch(gates.dim(0)), steps(gates.dim(1)), hidden(gates.dim(2) / kGates) {}
  int64_t blocks() const { return (hidden + kLanes - 1) / kLanes; }
  int64_t groups() const { return (batch + kGroupRows - 1) / kGroupRows; }
  int64_t lanes(int64_t block) const { return std::min<int64_t>(kLanes, hidden - block * kLanes); }
};

// Rows of a group: where they begin in the batch and how many steps each has.
template <int R>
struct Group {
  int64_t first, longest = 0;
  int64_t length[R];

  Group(const Recurrence& s, int64_t first, const int32_t* lengths) : first(first) {
    for (int r = 0; r < R; ++r) {
      length[r] = lengths ? std::clamp<int64_t>(lengths[first + r], 0, s.steps) : s.steps;
      longest = std::max(longest, length[r]);
    }
  }
  // Where step t of row r stands among all steps.
  int64_t at(const Recurrence& s, int r, int64_t t) const { return (first + r) * s.steps + t; }

  // Zeros past the end of every row, of a tensor with so many numbers a step.
  void clearEnds(const Recurrence& s, float* x, int64_t width) const {
    for (int r = 0; r < R; ++r)
      std::fill(x + at(s, r, length[r]) * width, x + at(s, r, s.steps) * width, 0.0f);
  }
};

// body(integral_constant rows, first row, group) for each group of rows.
template <int R = kGroupRows, class Body>
static inline void withRows(int64_t rows, Body body) {
  if constexpr (R > 1) {
    if (rows < R) return withRows<R - 1>(rows, body);
  }
  body(std::integral_constant<int, R>());
}

template <class Body>
static inline void forGroups(ThreadPool& pool, const Recurrence& s, Body body) {
  pool.parallel(s.groups(), [&](int64_t group, int) {
    const int64_t first = group * kGroupRows;
    withRows(s.batch - first, [&](auto rows) { body(rows, first, group); });
  });
}

static inline vf loadFirst(const float* p, int64_t n) {
  return n == kLanes ? load(p) : loadTail(p, n);
}
static inline void storeFirst(float* p, vf v, int64_t n) {
  n == kLanes ? store(p, v) : storeTail(p, v, n);
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
