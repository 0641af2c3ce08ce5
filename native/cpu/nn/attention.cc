// Attention, its gradient and its tangent (src/ops/attention.ts) in tiles of queries by keys, whose
// scores and sums are products of gemm.h. A query's weights are e^(s - top - rest), in the forward
// pass relative to the largest score so far (online softmax, Milakov & Gimelshein 2018; Dao et al.
// 2022): no more than a tile for each thread is kept of them.
#include <cmath>

#include "cpu/base/elementwise.h"
#include "cpu/base/kernels.h"
#include "cpu/base/rows.h"
#include "cpu/base/sums.h"
#include "cpu/gemm/gemm.h"
#include "formulas/elementary.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

constexpr int64_t kQueries = 64, kKeys = 256;
static_assert(kKeys % kQueries == 0, "each of a tile's queries sees its first key");

struct Attention {
  int64_t batch, steps, keys, width, heads, dim;
  bool causal;
  float scale;

  explicit Attention(const Instruction& in)
      : batch(in.inputs.at(0).dim(0)),
        steps(in.inputs.at(0).dim(1)),
        keys(in.inputs.at(1).dim(1)),
        width(in.inputs.at(0).dim(2)),
        heads(in.integer("heads")),
        dim(width / heads),
        causal(in.integer("causal") != 0),
        scale(static_cast<float>(1 / std::sqrt(static_cast<double>(dim)))) {}

  int64_t blocks() const { return (steps + kQueries - 1) / kQueries; }
  int64_t queriesOfTile() const { return std::min(kQueries, steps); }
  int64_t keysOfTile() const { return std::min(kKeys, keys); }
  int64_t tile() const { return (queriesOfTile() * keysOfTile() + 15) / 16 * 16; }
  size_t gemmFloats() const {
    const int64_t m = queriesOfTile(), n = keysOfTile();
    return std::max({gemmSerialScratchFloats({m, n, dim}), gemmSerialScratchFloats({m, dim, n}),
                     gemmSerialScratchFloats({n, dim, m})});
  }
  // Of a thread, with so many tiles of scores.
  int64_t scratchFloats(int64_t tiles) const {
    return tiles * tile() + static_cast<int64_t>(gemmFloats());
  }
};

// A head of a row of the batch.
struct Head {
  const Attention& a;
  int64_t b, h;

  Head(const Attention& attention, int64_t number)
      : a(attention), b(number / attention.heads), h(number % attention.heads) {}
  int64_t query(int64_t i) const { return (b * a.steps + i) * a.width + h * a.dim; }
  int64_t key(int64_t j) const { return (b * a.keys + j) * a.width + h * a.dim; }
  // Of the statistics.
  int64_t row(int64_t i) const { return ((b * a.heads + h) * a.steps + i) * 2; }
  Matrix matrix(const float* rows) const { return {rows, a.width, 1}; }
  // Keys that queries before `end` see.
  int64_t seen(const int32_t* lengths, int64_t end) const {
    const int64_t own = lengths ? std::clamp<int64_t>(lengths[b], 0, a.keys) : a.keys;
    return a.causal ? std::min(own, end) : own;
  }
};

// Queries [begin, begin + m) by keys [first, first + n).
struct Tile {
  int64_t begin, m, first, n;
  bool causal;

  int64_t seen(int64_t r) const { return causal ? std::min(n, begin + r + 1 - first) : n; }
};

// body(tile) for the tiles of a block of queries in which they see any keys.
template <class Body>
void forTiles(const Head& head, const int32_t* lengths, int64_t block, Body body) {
  const int64_t begin = block * kQueries, m = std::min(kQueries, head.a.steps - begin);
  const int64_t seen = head.seen(lengths, begin + m);
  for (int64_t first = 0; first < seen; first += kKeys)
    body(Tile{begin, m, first, std::min(kKeys, seen - first), head.a.causal});
}

// p <- e^(s - top - rest) of a row's scores, 0 from `seen` to n; the sum.
float weigh(float* row, int64_t seen, int64_t n, float top, float rest) {
  vf sum = {};
  int64_t j = 0;
  const auto apply = [=](vf s) { return formulas::exp<vf, vu>((s - top) - rest); };
  for (; j + kLanes <= seen; j += kLanes) {
    const vf p = apply(load(row + j));
    store(row + j, p);
    sum += p;
  }
  if (j < seen) {
    const vf p = keepLanes(apply(loadTail(row + j, seen - j)), seen - j, 0);
    storeTail(row + j, p, seen - j);
    sum += p;
  }
  std::fill(row + seen, row + n, 0.0f);
  return sumLanes(sum);
}

// The weights of a tile from its scores and what the forward pass kept.
void weighTile(const Tile& t, float* scores, const float* stats) {
  for (int64_t r = 0; r < t.m; ++r)
    weigh(scores + r * t.n, t.seen(r), t.n, stats[2 * r], stats[2 * r + 1]);
}

const int32_t* lengthsOf(const std::vector<Operand>& inputs, size_t at, const Step& step) {
  return inputs.size() > at ? inputs[at].i32(step) : nullptr;
}

}  // namespace

Run op_attention(Instruction& in) {
  const std::vector<Operand> inputs = in.inputs;
  const Operand y = in.outputs.at(0), stats = in.outputs.at(1);
  const Attention a(in);
  const int64_t perThread = a.scratchFloats(1);
  in.scratchBytes = perThread * in.threads * static_cast<int64_t>(sizeof(float));
  return [=](const Step& step) {
    const float* const q = inputs[0].f32(step);
    const float* const k = inputs[1].f32(step);
    const float* const v = inputs[2].f32(step);
    const int32_t* const lengths = lengthsOf(inputs, 3, step);
    const int64_t heads = a.batch * a.heads;
    // The last queries, who may see the most, first.
    step.pool.parallel(heads * a.blocks(), [&](int64_t task, int thread) {
      const Head head(a, task % heads);
      const int64_t block = a.blocks() - 1 - task / heads, begin = block * kQueries;
      const int64_t m = std::min(kQueries, a.steps - begin);
      float* const scores = reinterpret_cast<float*>(step.scratch) + thread * perThread;
      float* const scratch = scores + a.tile();
      float* const out = y.f32(step) + head.query(begin);
      float top[kQueries];
      double total[kQueries];
      std::fill_n(top, m, 0.0f);
      std::fill_n(total, m, 0.0);
      forTiles(head, lengths, block, [&](const Tile& t) {
        gemmSerial({t.m, t.n, a.dim}, head.matrix(q + head.query(t.begin)),
                   head.matrix(k + head.key(t.first)).transposed(), {scores, t.n, a.scale},
                   scratch);
        for (int64_t r = 0; r < t.m; ++r) {
          float* const row = scores + r * t.n;
          const float highest = maxOf(row, t.seen(r));
          const float next = t.first == 0 ? highest : larger(top[r], highest);
          if (t.first > 0 && next != top[r]) {
            const float by = std::exp(top[r] - next);
            total[r] *= by;
            mapRange(out + r * a.width, out + r * a.width, a.dim, [=](vf x) { return x * by; });
          }
          top[r] = next;
          total[r] += weigh(row, t.seen(r), t.n, next, 0);
        }
        gemmSerial({t.m, a.dim, t.n}, {scores, t.n, 1}, head.matrix(v + head.key(t.first)),
                   {out, a.width, 1, t.first == 0 ? 0.0f : 1.0f}, scratch);
      });
      float* const kept = stats.f32(step) + head.row(begin);
      const bool sees = head.seen(lengths, begin + m) > 0;
      for (int64_t r = 0; r < m; ++r) {
        float* const row = out + r * a.width;
        const float by = static_cast<float>(1 / total[r]);
        if (sees)
          mapRange(row, row, a.dim, [=](vf x) { return x * by; });
        else
          std::fill_n(row, a.dim, 0.0f);
        kept[2 * r] = top[r];
        kept[2 * r + 1] = sees ? static_cast<float>(std::log(total[r])) : __builtin_inff();
      }
    });
  };
}

Run op_attentionGrad(Instruction& in) {
  const std::vector<Operand> inputs = in.inputs, outputs = in.outputs;
  const Attention a(in);
  const int64_t perThread = a.scratchFloats(2);
  in.scratchBytes = perThread * in.threads * static_cast<int64_t>(sizeof(float));
  return [=](const Step& step) {
    const float* const q = inputs[0].f32(step);
    const float* const k = inputs[1].f32(step);
    const float* const v = inputs[2].f32(step);
    const float* const y = inputs[3].f32(step);
    const float* const stats = inputs[4].f32(step);
    const float* const dy = inputs[5].f32(step);
    const int32_t* const lengths = lengthsOf(inputs, 6, step);
    step.pool.parallel(a.batch * a.heads, [&](int64_t task, int thread) {
      const Head head(a, task);
      float* const weights = reinterpret_cast<float*>(step.scratch) + thread * perThread;
      float* const slopes = weights + a.tile();
      float* const scratch = slopes + a.tile();
      float* const dq = outputs[0].f32(step) + head.query(0);
      float* const dk = outputs[1].f32(step) + head.key(0);
      float* const dv = outputs[2].f32(step) + head.key(0);
      for (int64_t i = 0; i < a.steps; ++i) std::fill_n(dq + i * a.width, a.dim, 0.0f);
      for (int64_t j = 0; j < a.keys; ++j) {
        std::fill_n(dk + j * a.width, a.dim, 0.0f);
        std::fill_n(dv + j * a.width, a.dim, 0.0f);
      }
      for (int64_t block = 0; block < a.blocks(); ++block) {
        float levels[kQueries];
        for (int64_t r = 0; r < std::min(kQueries, a.steps - block * kQueries); ++r) {
          const int64_t at = head.query(block * kQueries + r);
          levels[r] = static_cast<float>(dot(dy + at, y + at, a.dim));
        }
        forTiles(head, lengths, block, [&](const Tile& t) {
          const Matrix queries = head.matrix(q + head.query(t.begin));
          const Matrix keys = head.matrix(k + head.key(t.first));
          const Matrix values = head.matrix(v + head.key(t.first));
          const Matrix given = head.matrix(dy + head.query(t.begin));
          const GemmShape scores{t.m, t.n, a.dim}, perKey{t.n, a.dim, t.m};
          const Matrix p{weights, t.n, 1}, ds{slopes, t.n, 1};
          gemmSerial(scores, queries, keys.transposed(), {weights, t.n, a.scale}, scratch);
          weighTile(t, weights, stats + head.row(t.begin));
          gemmSerial(perKey, p.transposed(), given, {dv + t.first * a.width, a.width, 1, 1},
                     scratch);
          gemmSerial(scores, given, values.transposed(), {slopes, t.n}, scratch);
          for (int64_t r = 0; r < t.m; ++r)
            mapRange(slopes + r * t.n, slopes + r * t.n, weights + r * t.n, t.n,
                     [level = levels[r]](vf d, vf w) { return w * (d - level); });
          gemmSerial({t.m, a.dim, t.n}, ds, keys,
                     {dq + t.begin * a.width, a.width, a.scale, 1}, scratch);
          gemmSerial(perKey, ds.transposed(), queries,
                     {dk + t.first * a.width, a.width, a.scale, 1}, scratch);
        });
      }
    });
  };
}

Run op_attentionTangent(Instruction& in) {
  const std::vector<Operand> inputs = in.inputs;
  const Operand out = in.outputs.at(0);
  const Attention a(in);
  const int64_t perThread = a.scratchFloats(2);
  in.scratchBytes = perThread * in.threads * static_cast<int64_t>(sizeof(float));
  return [=](const Step& step) {
    const float* const q = inputs[0].f32(step);
    const float* const k = inputs[1].f32(step);
    const float* const v = inputs[2].f32(step);
    const float* const y = inputs[3].f32(step);
    const float* const stats = inputs[4].f32(step);
    const float* const dq = inputs[5].f32(step);
    const float* const dk = inputs[6].f32(step);
    const float* const dv = inputs[7].f32(step);
    const int32_t* const lengths = lengthsOf(inputs, 8, step);
    const int64_t heads = a.batch * a.heads;
    step.pool.parallel(heads * a.blocks(), [&](int64_t task, int thread) {
      const Head head(a, task % heads);
      const int64_t block = task / heads, begin = block * kQueries;
      const int64_t m = std::min(kQueries, a.steps - begin);
      float* const weights = reinterpret_cast<float*>(step.scratch) + thread * perThread;
      float* const shares = weights + a.tile();
      float* const scratch = shares + a.tile();
      float* const to = out.f32(step) + head.query(begin);
      for (int64_t r = 0; r < m; ++r) std::fill_n(to + r * a.width, a.dim, 0.0f);
      double totals[kQueries] = {};
      forTiles(head, lengths, block, [&](const Tile& t) {
        const int64_t atQuery = head.query(t.begin), atKey = head.key(t.first);
        const GemmShape scores{t.m, t.n, a.dim}, sums{t.m, a.dim, t.n};
        const Matrix keys = head.matrix(k + atKey).transposed();
        const Matrix moved = head.matrix(dk + atKey).transposed();
        gemmSerial(scores, head.matrix(q + atQuery), keys, {weights, t.n, a.scale}, scratch);
        weighTile(t, weights, stats + head.row(t.begin));
        gemmSerial(scores, head.matrix(dq + atQuery), keys, {shares, t.n, a.scale}, scratch);
        gemmSerial(scores, head.matrix(q + atQuery), moved, {shares, t.n, a.scale, 1}, scratch);
        for (int64_t r = 0; r < t.m; ++r) {
          float* const row = shares + r * t.n;
          mapRange(row, row, weights + r * t.n, t.n, [](vf s, vf w) { return w * s; });
          totals[r] += sumRun(row, t.n);
        }
        const GemmOut added{to, a.width, 1, 1};
        gemmSerial(sums, {shares, t.n, 1}, head.matrix(v + atKey), added, scratch);
        gemmSerial(sums, {weights, t.n, 1}, head.matrix(dv + atKey), added, scratch);
      });
      for (int64_t r = 0; r < m; ++r) {
        float* const row = to + r * a.width;
        mapRange(row, row, y + head.query(begin + r), a.dim,
                 [total = static_cast<float>(totals[r])](vf x, vf at) { return x - total * at; });
      }
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
