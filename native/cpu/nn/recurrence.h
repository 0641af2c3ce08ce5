// Rows of a batch through the steps of a recurrence, a few rows to a task: they share what is read of
// its weights, which are packed once so that a block of vectors of their rows is read in order.
#pragma once

#include <algorithm>
#include <utility>

#include "cpu/base/simd.h"
#include "cpu/base/transpose.h"
#include "program/kernel.h"

namespace flatmin {
namespace FLATMIN_ISA {

// Vectors of sums that a block of a weight makes of a row.
inline constexpr int kBlockVectors = 4;

// Rows of a task: as many as have accumulators for a block in registers.
#if defined(__AVX512F__)
inline constexpr int kGroupRows = 4;
#else
inline constexpr int kGroupRows = 2;
#endif

inline int64_t vectorsOf(int64_t count) { return (count + kLanes - 1) / kLanes; }

// Sequences [batch, steps, …] and the way that they are read.
struct Sequences {
  int64_t batch, steps;
  bool reverse;

  Sequences(const Operand& x, const Instruction& in)
      : batch(x.dim(0)), steps(x.dim(1)), reverse(in.integer("reverse") != 0) {}
  int64_t groups() const { return (batch + kGroupRows - 1) / kGroupRows; }
};

// Rows of a group: where they begin in the batch and how many steps each has.
template <int R>
struct Group {
  int64_t first, steps, longest = 0;
  bool reverse;
  int64_t length[R];

  Group(const Sequences& s, int64_t first, const int32_t* lengths)
      : first(first), steps(s.steps), reverse(s.reverse) {
    for (int r = 0; r < R; ++r) {
      length[r] = lengths ? std::clamp<int64_t>(lengths[first + r], 0, steps) : steps;
      longest = std::max(longest, length[r]);
    }
  }
  // Where step t of row r's recurrence stands among all steps; past its end after all others.
  int64_t at(int r, int64_t t) const {
    return (first + r) * steps + (reverse && t < length[r] ? length[r] - 1 - t : t);
  }
  // Zeros past the end of every row, of a tensor with so many numbers a step.
  void clearEnds(float* x, int64_t width) const {
    for (int r = 0; r < R; ++r) {
      float* const row = x + (first + r) * steps * width;
      std::fill(row + length[r] * width, row + steps * width, 0.0f);
    }
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
static inline void forGroups(ThreadPool& pool, const Sequences& s, Body body) {
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

// A weight [rows, width] in blocks of kBlockVectors vectors of its rows.
struct Blocks {
  int64_t rows, width;

  int64_t count() const { return (vectorsOf(rows) + kBlockVectors - 1) / kBlockVectors; }
  int64_t floats() const { return count() * floatsOfBlock(); }
  int64_t floatsOfBlock() const { return width * kBlockVectors * kLanes; }
  // The first row of a block's vector, and how many it has.
  int64_t row(int64_t block, int v) const { return (block * kBlockVectors + v) * kLanes; }
  int64_t lanes(int64_t block, int v) const {
    return std::clamp<int64_t>(rows - row(block, v), 0, kLanes);
  }
};

// The same of rows that are a unit's four gates: a block has a vector of units, a gate to a vector.
struct GateBlocks : Blocks {
  int64_t units;

  GateBlocks(int64_t units, int64_t width)
      : Blocks{kBlockVectors * units, width}, units(units) {}
  int64_t count() const { return vectorsOf(units); }
  int64_t floats() const { return count() * floatsOfBlock(); }
  int64_t row(int64_t block, int gate) const { return gate * units + block * kLanes; }
  int64_t lanes(int64_t block, int = 0) const {
    return std::min<int64_t>(kLanes, units - block * kLanes);
  }
};

// Of a block: for every column p a vector of each of its vectors of rows.
template <class B>
void pack(const B& b, const float* weight, float* packed, ThreadPool& pool) {
  pool.parallel(b.count(), [&](int64_t block, int) {
    float* const own = packed + block * b.floatsOfBlock();
    for (int v = 0; v < kBlockVectors; ++v) {
      const int64_t lanes = b.lanes(block, v);
      const float* const rows = lanes > 0 ? weight + b.row(block, v) * b.width : weight;
      for (int64_t p = 0; p < b.width; p += kLanes) {
        const int64_t columns = std::min<int64_t>(kLanes, b.width - p);
        vf square[kLanes];
        for (int64_t l = 0; l < kLanes; ++l)
          square[l] = l < lanes ? loadFirst(rows + l * b.width + p, columns) : vf{};
        transpose(square);
        for (int64_t i = 0; i < columns; ++i)
          store(own + ((p + i) * kBlockVectors + v) * kLanes, square[i]);
      }
    }
  });
}

// sums += W y of R rows for a block.
template <int R>
inline void addProducts(int64_t width, const float* packed, const float* const (&y)[R],
                        vf (&sums)[R][kBlockVectors]) {
  vf acc[R][kBlockVectors];
  FLATMIN_UNROLL
  for (int r = 0; r < R; ++r) {
    FLATMIN_UNROLL
    for (int v = 0; v < kBlockVectors; ++v) acc[r][v] = sums[r][v];
  }
  for (int64_t p = 0; p < width; ++p, packed += kBlockVectors * kLanes) {
    FLATMIN_UNROLL
    for (int v = 0; v < kBlockVectors; ++v) {
      const vf w = load(packed + v * kLanes);
      FLATMIN_UNROLL
      for (int r = 0; r < R; ++r) acc[r][v] += y[r][p] * w;
    }
  }
  FLATMIN_UNROLL
  for (int r = 0; r < R; ++r) {
    FLATMIN_UNROLL
    for (int v = 0; v < kBlockVectors; ++v) sums[r][v] = acc[r][v];
  }
}

// unit(z + W y of a block, row, block) for each block of the R rows; without y unit(z, …).
template <class B, int R, class Unit>
void forBlocks(const B& b, const float* packed, const float* const (&z)[R],
               const float* const (&y)[R], bool hasY, Unit unit) {
  for (int64_t block = 0; block < b.count(); ++block) {
    vf sums[R][kBlockVectors];
    for (int r = 0; r < R; ++r)
      for (int v = 0; v < kBlockVectors; ++v) {
        const int64_t lanes = b.lanes(block, v);
        sums[r][v] = lanes > 0 ? loadFirst(z[r] + b.row(block, v), lanes) : vf{};
      }
    if (hasY) addProducts<R>(b.width, packed + block * b.floatsOfBlock(), y, sums);
    for (int r = 0; r < R; ++r) unit(sums[r], r, block);
  }
}

// unit(z_t + W y_{t−1}, row, t, block), which writes y_t, for every block in the order of the steps,
// and after(t) when they have been through a step.
template <class B, int R, class Unit, class After>
void recur(const B& b, const Group<R>& group, const float* z, const float* packed, const float* y,
           Unit unit, After after) {
  for (int64_t t = 0; t < group.longest; ++t) {
    const float *own[R], *before[R];
    for (int r = 0; r < R; ++r) {
      own[r] = z + group.at(r, t) * b.rows;
      before[r] = t > 0 ? y + group.at(r, t - 1) * b.width : y;
    }
    forBlocks(b, packed, own, before, t > 0,
              [&](const vf(&sums)[kBlockVectors], int r, int64_t block) {
                if (t < group.length[r]) unit(sums, r, t, block);
              });
    after(t);
  }
}

// out ← Wᵀ dz of R rows for V vectors of columns; the last has so many lanes.
template <int R, int V, bool kTail>
void columnProducts(const Blocks& b, const float* weight, const float* const (&dz)[R],
                    float* const (&out)[R], int64_t lanes) {
  vf acc[R][V] = {};
  for (int64_t k = 0; k < b.rows; ++k, weight += b.width) {
    FLATMIN_UNROLL
    for (int v = 0; v < V; ++v) {
      const float* const from = weight + v * kLanes;
      const vf w = kTail && v == V - 1 ? loadTail(from, lanes) : load(from);
      FLATMIN_UNROLL
      for (int r = 0; r < R; ++r) acc[r][v] += dz[r][k] * w;
    }
  }
  FLATMIN_UNROLL
  for (int r = 0; r < R; ++r) {
    FLATMIN_UNROLL
    for (int v = 0; v < V; ++v) store(out[r] + v * kLanes, acc[r][v]);
  }
}

template <int R, int V = kBlockVectors>
void columnProductsOf(int vectors, const Blocks& b, const float* weight,
                      const float* const (&dz)[R], float* const (&out)[R], int64_t lanes) {
  if constexpr (V > 1) {
    if (vectors < V) return columnProductsOf<R, V - 1>(vectors, b, weight, dz, out, lanes);
  }
  if (lanes < kLanes) return columnProducts<R, V, true>(b, weight, dz, out, lanes);
  columnProducts<R, V, false>(b, weight, dz, out, lanes);
}

// Rows [R][vectors of columns] ← Wᵀ dz, W as it is given.
template <int R>
void carryBack(const Blocks& b, const float* weight, const float* const (&dz)[R], float* carried) {
  const int64_t all = vectorsOf(b.width);
  for (int64_t at = 0; at < all; at += kBlockVectors) {
    const int64_t vectors = std::min<int64_t>(kBlockVectors, all - at);
    float* out[R];
    for (int r = 0; r < R; ++r) out[r] = carried + (r * all + at) * kLanes;
    const int64_t lanes = std::min<int64_t>(kLanes, b.width - (at + vectors - 1) * kLanes);
    columnProductsOf<R>(static_cast<int>(vectors), b, weight + at * kLanes, dz, out, lanes);
  }
}

// Lengths of rows, the last operand, where there are any.
struct Ends {
  Operand operand;
  bool given;

  Ends(const Instruction& in, size_t at)
      : given(in.inputs.size() > at) {
    if (given) operand = in.inputs[at];
  }
  const int32_t* of(const Step& step) const { return given ? operand.i32(step) : nullptr; }
};

}  // namespace FLATMIN_ISA
}  // namespace flatmin
