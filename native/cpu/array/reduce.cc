// Sums and maxima over the middle of [outer, length, inner], and their gradients.
#include "cpu/base/kernels.h"
#include "cpu/base/rows.h"
#include "cpu/base/sums.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

struct Axis {
  int64_t outer, length, inner;

  explicit Axis(const Instruction& in)
      : outer(in.integer("outer")), length(in.integer("length")), inner(in.integer("inner")) {}
};

// Columns that are reduced together, and elements that are added in float before they go to a
// double.
constexpr int kVectors = 4;
constexpr int64_t kColumns = kVectors * kLanes;
constexpr int64_t kFloatRun = 64;

// totals[c] ← Σ over rows of x[row * stride + c] for V vectors of columns, `last` lanes of the
// last.
template <int V>
void sumRows(const float* x, int64_t rows, int64_t stride, int64_t last, double* totals) {
  std::fill_n(totals, V * kLanes, 0.0);
  for (int64_t first = 0; first < rows; first += kFloatRun) {
    const int64_t end = std::min(rows, first + kFloatRun);
    vf sums[V] = {};
    for (int64_t r = first; r < end; ++r) {
      const float* const row = x + r * stride;
      for (int v = 0; v < V - 1; ++v) sums[v] += load(row + v * kLanes);
      sums[V - 1] += loadTail(row + (V - 1) * kLanes, last);
    }
    float columns[V * kLanes];
    for (int v = 0; v < V; ++v) store(columns + v * kLanes, sums[v]);
    for (int c = 0; c < V * kLanes; ++c) totals[c] += columns[c];
  }
}

// The same of 1 <= columns <= kColumns; totals has room for kColumns.
void sumRows(const float* x, int64_t rows, int64_t stride, int64_t columns, double* totals) {
  using SumRows = void (*)(const float*, int64_t, int64_t, int64_t, double*);
  static constexpr SumRows table[] = {sumRows<1>, sumRows<2>, sumRows<3>, sumRows<4>};
  static_assert(std::size(table) == kVectors, "one for each number of vectors");
  const int64_t vectors = (columns + kLanes - 1) / kLanes;
  table[vectors - 1](x, rows, stride, columns - (vectors - 1) * kLanes, totals);
}

// Rows of one element each: whole rows to a task, or pieces of a long row, whose sums are added in
// order.
Run sumNeighbours(Instruction& in, const Axis axis) {
  const Operand x = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  const int64_t rows = axis.outer * axis.inner;  // inner is 1, or 0 of an empty tensor
  const int64_t pieces = chunkCount(axis.length);
  if (pieces <= 1) {
    return [=](const Step& step) {
      forRows(step.pool, rows, axis.length, [&](int64_t begin, int64_t end, int64_t) {
        for (int64_t o = begin; o < end; ++o)
          y.f32(step)[o] = static_cast<float>(sumRun(x.f32(step) + o * axis.length, axis.length));
      });
    };
  }
  in.scratchBytes = rows * pieces * static_cast<int64_t>(sizeof(double));
  return [=](const Step& step) {
    double* const partial = reinterpret_cast<double*>(step.scratch);
    step.pool.parallel(rows * pieces, [&](int64_t task, int) {
      const int64_t begin = task % pieces * kChunk;
      partial[task] = sumRun(x.f32(step) + task / pieces * axis.length + begin,
                             std::min(kChunk, axis.length - begin));
    });
    for (int64_t r = 0; r < rows; ++r) {
      double total = 0;
      for (int64_t i = 0; i < pieces; ++i) total += partial[r * pieces + i];
      y.f32(step)[r] = static_cast<float>(total);
    }
  };
}

// Columns: up to kColumns of them together; pieces of long ones are added in order.
Run sumColumns(Instruction& in, const Axis axis) {
  const Operand x = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  const int64_t width = std::min(axis.inner, kColumns);
  const int64_t blocks = (axis.inner + kColumns - 1) / kColumns;
  const int64_t depth = kChunk / width;
  const int64_t pieces = std::max<int64_t>(1, (axis.length + depth - 1) / depth);
  if (pieces > 1)
    in.scratchBytes = axis.outer * pieces * axis.inner * static_cast<int64_t>(sizeof(double));
  return [=](const Step& step) {
    double* const partial = reinterpret_cast<double*>(step.scratch);
    const int64_t tasks = axis.outer * pieces * blocks;
    forRows(step.pool, tasks, std::min(depth, axis.length) * width,
            [&](int64_t begin, int64_t end, int64_t) {
              for (int64_t task = begin; task < end; ++task) {
                const int64_t column = task % blocks * kColumns;
                const int64_t piece = task / blocks;  // of all outer ones
                const int64_t o = piece / pieces;
                const int64_t row = piece % pieces * depth;
                const int64_t columns = std::min(kColumns, axis.inner - column);
                double totals[kColumns];
                sumRows(x.f32(step) + (o * axis.length + row) * axis.inner + column,
                        std::min(depth, axis.length - row), axis.inner, columns, totals);
                if (pieces == 1)
                  std::copy_n(totals, columns, y.f32(step) + o * axis.inner + column);
                else
                  std::copy_n(totals, columns, partial + piece * axis.inner + column);
              }
            });
    if (pieces == 1) return;
    for (int64_t o = 0; o < axis.outer; ++o)
      for (int64_t i = 0; i < axis.inner; ++i) {
        double total = 0;
        for (int64_t p = 0; p < pieces; ++p) total += partial[(o * pieces + p) * axis.inner + i];
        y.f32(step)[o * axis.inner + i] = static_cast<float>(total);
      }
  };
}

}  // namespace

Run op_sum(Instruction& in) {
  const Axis axis(in);
  return axis.inner <= 1 ? sumNeighbours(in, axis) : sumColumns(in, axis);
}

Run op_expand(Instruction& in) {
  const Axis axis(in);
  const Operand x = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  return [=](const Step& step) {
    const float* const from = x.f32(step);
    forChunks(step.pool, y.size(), [&](int64_t begin, int64_t end, int64_t) {
      // A piece is what stays within one row (inner > 1) or within one repetition (inner = 1).
      for (int64_t at = begin; at < end;) {
        float* const to = y.f32(step) + at;
        const int64_t width = axis.inner == 1 ? axis.length : axis.inner;
        const int64_t row = at / width;
        const int64_t count = std::min(end - at, (row + 1) * width - at);
        if (axis.inner == 1)
          std::fill(to, to + count, from[row]);
        else
          std::copy_n(from + row / axis.length * axis.inner + at % width, count, to);
        at += count;
      }
    });
  };
}

namespace {

// The first largest of a row, or its first NaN.
int64_t indexOf(const float* x, int64_t n, float best) {
  int64_t k = 0;
  if (best != best)
    while (k < n && x[k] == x[k]) ++k;
  else
    while (k < n && x[k] != best) ++k;
  return k < n ? k : 0;
}

// The same for columns, at most kColumns of them.
void maxRows(const float* x, int64_t rows, int64_t stride, int64_t columns, float* best,
             int32_t* at) {
  std::fill(at, at + columns, 0);
  std::fill(best, best + columns, -__builtin_inff());
  if (rows > 0) std::copy_n(x, columns, best);
  for (int64_t k = 1; k < rows; ++k) {
    const float* const row = x + k * stride;
    for (int64_t i = 0; i < columns; ++i) {
      const bool better = !(row[i] <= best[i]) && best[i] == best[i];
      best[i] = better ? row[i] : best[i];
      at[i] = better ? static_cast<int32_t>(k) : at[i];
    }
  }
}

}  // namespace

// −∞ and index 0 of nothing.
Run op_max(Instruction& in) {
  const Axis axis(in);
  const Operand x = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  const Operand index = in.outputs.at(1);
  const int64_t width = std::min(axis.inner, kColumns);
  const int64_t blocks = (axis.inner + kColumns - 1) / kColumns;
  return [=](const Step& step) {
    const auto body = [&](int64_t begin, int64_t end, int64_t) {
      for (int64_t task = begin; task < end; ++task) {
        const int64_t o = task / blocks;
        const int64_t column = task % blocks * kColumns;
        const float* const from = x.f32(step) + o * axis.length * axis.inner + column;
        float* const best = y.f32(step) + o * axis.inner + column;
        int32_t* const at = index.i32(step) + o * axis.inner + column;
        if (axis.inner == 1) {
          *best = maxOf(from, axis.length);
          *at = static_cast<int32_t>(indexOf(from, axis.length, *best));
        } else {
          maxRows(from, axis.length, axis.inner, std::min(kColumns, axis.inner - column), best, at);
        }
      }
    };
    forRows(step.pool, axis.outer * blocks, axis.length * width, body);
  };
}

Run op_maxGrad(Instruction& in) {
  const Axis axis(in);
  const Operand dy = in.inputs.at(0);
  const Operand index = in.inputs.at(1);
  const Operand dx = in.outputs.at(0);
  return [=](const Step& step) {
    forRows(step.pool, axis.outer * axis.length, axis.inner,
            [&](int64_t begin, int64_t end, int64_t) {
              for (int64_t row = begin; row < end; ++row) {
                const int64_t o = row / axis.length;
                const int64_t k = row % axis.length;
                const float* const from = dy.f32(step) + o * axis.inner;
                const int32_t* const at = index.i32(step) + o * axis.inner;
                float* const to = dx.f32(step) + row * axis.inner;
                for (int64_t i = 0; i < axis.inner; ++i) to[i] = at[i] == k ? from[i] : 0.0f;
              }
            });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
