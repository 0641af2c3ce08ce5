#include "cpu/gemm/gemm_bf16.h"

#if defined(__AVX512F__)
#include <algorithm>

#include "cpu/base/bf16_pairs.h"
#include "cpu/base/integers.h"
#include "formulas/bf16.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

constexpr int64_t kTaskPairs = 1 << 15;

// Pairs of a row that stands contiguously.
void roundRow(const float* from, int64_t k, float* to) {
  for (; k >= 2 * kLanes; k -= 2 * kLanes, from += 2 * kLanes, to += kLanes)
    store(to, neighbours(load(from), load(from + kLanes)));
  if (k == 0) return;
  const vf first = loadTail(from, std::min<int64_t>(k, kLanes));
  const vf second = k > kLanes ? loadTail(from + kLanes, k - kLanes) : vf{};
  storeTail(to, neighbours(first, second), ceilDiv(k, 2));
}

// Of two rows, of which the second may be missing, the pairs of their columns.
void roundRows(const float* first, const float* second, int64_t n, float* to) {
  for (int64_t i = 0; i < n; i += kLanes) {
    const int64_t lanes = std::min<int64_t>(n - i, kLanes);
    storeTail(to + i,
              pairs(loadTail(first + i, lanes), second ? loadTail(second + i, lanes) : vf{}),
              lanes);
  }
}

// An operand with k along its columns as pairs: in memory as it was, rows or columns contiguous.
class Rounded {
 public:
  Rounded(int64_t rows, int64_t k, Matrix from, float* to)
      : rows_(rows),
        k_(k),
        depth_(ceilDiv(k, 2)),
        from_(from),
        to_(to),
        alongK_(from.colStride == 1 || from.rowStride != 1) {}

  Matrix matrix() const { return alongK_ ? Matrix{to_, depth_, 1} : Matrix{to_, 1, rows_}; }
  int64_t floats() const { return rows_ * depth_; }

  // Lines of pairs are what tasks are made of.
  int64_t lines() const { return alongK_ ? rows_ : depth_; }
  int64_t linesOfTask() const {
    return std::max<int64_t>(kTaskPairs / std::max<int64_t>(alongK_ ? depth_ : rows_, 1), 1);
  }
  int64_t tasks() const { return ceilDiv(lines(), linesOfTask()); }
  void fill(int64_t task) const {
    const int64_t end = std::min((task + 1) * linesOfTask(), lines());
    for (int64_t line = task * linesOfTask(); line < end; ++line) fillLine(line);
  }

 private:
  void fillLine(int64_t line) const {
    if (!alongK_) {
      const int64_t p = 2 * line;
      return roundRows(from_.at(0, p), p + 1 < k_ ? from_.at(0, p + 1) : nullptr, rows_,
                       to_ + line * rows_);
    }
    if (from_.colStride == 1) return roundRow(from_.at(line, 0), k_, to_ + line * depth_);
    for (int64_t p = 0; p < k_; p += 2 * kLanes) {
      float some[2 * kLanes] = {};
      const int64_t count = std::min<int64_t>(2 * kLanes, k_ - p);
      for (int64_t i = 0; i < count; ++i) some[i] = *from_.at(line, p + i);
      roundRow(some, count, to_ + line * depth_ + p / 2);
    }
  }

  int64_t rows_, k_, depth_;
  Matrix from_;
  float* to_;
  bool alongK_;
};

struct Operands {
  Rounded a, b;
  Operands(GemmShape s, Matrix a, Matrix b, float* to)
      : a(s.m, s.k, a, to), b(s.n, s.k, b.transposed(), to + roundUp(s.m * ceilDiv(s.k, 2), 16)) {}
};

GemmShape inPairs(GemmShape s) { return {s.m, s.n, ceilDiv(s.k, 2)}; }
size_t pairsOf(GemmShape s) {
  return roundUp(s.m * ceilDiv(s.k, 2), 16) + roundUp(s.n * ceilDiv(s.k, 2), 16);
}

template <PairUnit unit>
constexpr GemmFunctions kFunctions = {
    [](GemmShape s, int threads) {
      return pairsOf(s) + gemmPairsScratchFloats(unit, inPairs(s), threads);
    },
    [](GemmShape s, Matrix a, Matrix b, GemmOut c, float* scratch, ThreadPool& pool) {
      const Operands rounded(s, a, b, scratch);
      const int64_t ofA = rounded.a.tasks();
      pool.parallel(ofA + rounded.b.tasks(), [&](int64_t task, int) {
        task < ofA ? rounded.a.fill(task) : rounded.b.fill(task - ofA);
      });
      gemmPairs(unit, inPairs(s), rounded.a.matrix(), rounded.b.matrix().transposed(), c,
                scratch + pairsOf(s), pool);
    },
    [](GemmShape s) { return pairsOf(s) + gemmPairsSerialScratchFloats(unit, inPairs(s)); },
    [](GemmShape s, Matrix a, Matrix b, GemmOut c, float* scratch) {
      const Operands rounded(s, a, b, scratch);
      for (int64_t task = 0; task < rounded.a.tasks(); ++task) rounded.a.fill(task);
      for (int64_t task = 0; task < rounded.b.tasks(); ++task) rounded.b.fill(task);
      gemmPairsSerial(unit, inPairs(s), rounded.a.matrix(), rounded.b.matrix().transposed(), c,
                      scratch + pairsOf(s));
    }};
}  // namespace

GemmFunctions gemmBf16(PairUnit unit) {
  return unit == PairUnit::tiles ? kFunctions<PairUnit::tiles> : kFunctions<PairUnit::vectors>;
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
#endif
