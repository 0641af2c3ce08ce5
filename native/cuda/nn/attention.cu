// Attention, its gradient and its tangent (src/ops/attention.ts) in tiles: a warp to a query, or for
// the gradients of keys and values to a key, kWarps of them to a block, and a lane to each of the
// kLanes rows of a tile, which the block shares. Weights are e^(s - top - rest), in the forward
// pass relative to the largest score so far.
#include "cuda/base/block.h"
#include "cuda/base/kernels.h"

namespace flatmin {
namespace cuda {

namespace {

constexpr int kWarps = 4;  // whose rows fit beside a tile of the widest head
constexpr int kMostHead = 256;

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

  __host__ __device__ int64_t groups(int64_t rows) const { return (rows + kWarps - 1) / kWarps; }
  unsigned blocks(int64_t rows) const {
    return static_cast<unsigned>(std::min(batch * heads * groups(rows), kMostBlocks));
  }
  // A tile, of rows a float apart in banks, and two rows a warp.
  size_t sharedBytes() const {
    return static_cast<size_t>(kLanes * (dim + 1) + 2 * kWarps * dim) * sizeof(float);
  }

  __device__ int64_t query(int64_t head, int64_t i) const {
    return (head / heads * steps + i) * width + head % heads * dim;
  }
  __device__ int64_t key(int64_t head, int64_t j) const {
    return (head / heads * keys + j) * width + head % heads * dim;
  }
  __device__ int64_t whole(int64_t head, const int32_t* lengths) const {
    if (!lengths) return keys;
    const int64_t own = lengths[head / heads];
    return own < 0 ? 0 : (own < keys ? own : keys);
  }
  // Keys that queries before `end` see.
  __device__ int64_t seen(int64_t whole, int64_t end) const {
    return causal && end < whole ? end : whole;
  }
};

// What a block has in shared memory: rows of the dim numbers of a head.
struct Shared {
  float *tile, *first, *second;
  int64_t dim;

  __device__ Shared(float* memory, int64_t dim)
      : tile(memory), first(memory + kLanes * (dim + 1)), second(first + kWarps * dim), dim(dim) {
    const int64_t warp = threadIdx.x / kLanes;
    first += warp * dim;
    second += warp * dim;
  }
  __device__ const float* row(int r) const { return tile + r * (dim + 1); }
  // Rows [begin, end) of a matrix, kLanes at most.
  __device__ void load(const float* from, int64_t stride, int64_t count) {
    __syncthreads();
    for (int64_t e = threadIdx.x; e < count * dim; e += kWarps * kLanes)
      tile[e / dim * (dim + 1) + e % dim] = from[e / dim * stride + e % dim];
    __syncthreads();
  }
  __device__ float dotRow(const float* with) const {
    float sum = 0;
    for (int64_t d = 0; d < dim; ++d) sum += with[d] * row(laneId())[d];
    return sum;
  }
  // to[d] += sum over the lanes of x times their rows.
  __device__ void addRows(float* to, float x, int count) const {
    for (int64_t from = 0; from < dim; from += kLanes) {
      const int64_t d = from + laneId();
      float sum = d < dim ? to[d] : 0;
      for (int l = 0; l < count; ++l) {
        const float by = __shfl_sync(kAllLanes, x, l);
        if (d < dim) sum += by * row(l)[d];
      }
      if (d < dim) to[d] = sum;
    }
  }
};

__device__ void copyOwn(float* to, const float* from, int64_t dim, float by) {
  for (int64_t d = laneId(); d < dim; d += kLanes) to[d] = by * from[d];
}
__device__ void clearOwn(float* to, int64_t dim) {
  for (int64_t d = laneId(); d < dim; d += kLanes) to[d] = 0;
}
__device__ float warpLargest(float x) {
  for (int d = kLanes / 2; d > 0; d /= 2) {
    const float other = __shfl_xor_sync(kAllLanes, x, d);
    x = x != x ? x : (other <= x ? x : other);
  }
  return x;
}
__device__ int tileRows(int64_t from, int64_t end) {
  return static_cast<int>(end - from < kLanes ? end - from : kLanes);
}

// Rows of a warp among those of a head.
struct Group {
  int64_t head, row, end;  // end: of the block's rows
  bool inside;

  __device__ Group(int64_t number, int64_t rows) {
    const int64_t groups = (rows + kWarps - 1) / kWarps, begin = number % groups * kWarps;
    head = number / groups;
    row = begin + threadIdx.x / kLanes;
    inside = row < rows;
    end = begin + kWarps < rows ? begin + kWarps : rows;
  }
};

struct Operands {
  const float *q, *k, *v, *y, *stats;
  const int32_t* lengths;
};

__global__ void attention(Attention a, Operands in, float* y, float* stats) {
  DYN_SHARED(float, memory);
  Shared s(memory, a.dim);
  for (int64_t g = blockIdx.x; g < a.batch * a.heads * a.groups(a.steps); g += gridDim.x) {
    const Group group(g, a.steps);
    const int64_t at = a.query(group.head, group.inside ? group.row : 0);
    const int64_t whole = a.whole(group.head, in.lengths), seen = a.seen(whole, group.end);
    const int64_t own = a.seen(whole, group.row + 1);
    float* const query = s.first;
    float* const sum = s.second;
    copyOwn(query, in.q + at, a.dim, 1);
    clearOwn(sum, a.dim);
    float top = 0;
    double total = 0;
    for (int64_t j = 0; j < seen; j += kLanes) {
      const int count = tileRows(j, seen);
      s.load(in.k + a.key(group.head, j), a.width, count);
      const bool sees = j + laneId() < own;
      const float score = sees ? a.scale * s.dotRow(query) : -INFINITY;
      s.load(in.v + a.key(group.head, j), a.width, count);
      if (j >= own) continue;  // the same for the whole warp
      const float highest = warpLargest(score);
      const float next = j == 0 || highest != highest || highest > top ? highest : top;
      if (j > 0 && next != top) {
        const float by = expf(top - next);
        total *= by;
        copyOwn(sum, sum, a.dim, by);
      }
      top = next;
      const float p = sees ? expf(score - top) : 0;
      total += warpSum(p);
      s.addRows(sum, p, count);
    }
    if (group.inside) {
      copyOwn(y + at, sum, a.dim, own > 0 ? static_cast<float>(1 / total) : 0);
      if (laneId() == 0) {
        float* const kept = stats + 2 * (group.head * a.steps + group.row);
        kept[0] = top;
        kept[1] = own > 0 ? static_cast<float>(log(total)) : INFINITY;
      }
    }
    __syncthreads();  // before the next group's rows
  }
}

__device__ float weightOf(float score, const float* stats, int64_t row) {
  return expf(score - stats[2 * row] - stats[2 * row + 1]);
}

// Dot products of dy and y.
__global__ void attentionLevels(Attention a, const float* dy, const float* y, float* levels) {
  const int64_t rows = a.batch * a.heads * a.steps;
  for (int64_t row = globalWarp(); row < rows; row += globalWarps()) {
    const int64_t at = a.query(row / a.steps, row % a.steps);
    double sum = 0;
    for (int64_t d = laneId(); d < a.dim; d += kLanes)
      sum += static_cast<double>(dy[at + d]) * y[at + d];
    sum = warpSum(sum);
    if (laneId() == 0) levels[row] = static_cast<float>(sum);
  }
}

__global__ void attentionGradQueries(Attention a, Operands in, const float* dy, const float* levels,
                                     float* dq) {
  DYN_SHARED(float, memory);
  Shared s(memory, a.dim);
  for (int64_t g = blockIdx.x; g < a.batch * a.heads * a.groups(a.steps); g += gridDim.x) {
    const Group group(g, a.steps);
    const int64_t i = group.inside ? group.row : 0, at = a.query(group.head, i);
    const int64_t whole = a.whole(group.head, in.lengths), seen = a.seen(whole, group.end);
    const int64_t own = a.seen(whole, i + 1), row = group.head * a.steps + i;
    float* const given = s.first;
    float* const sum = s.second;
    clearOwn(sum, a.dim);
    for (int64_t j = 0; j < seen; j += kLanes) {
      const int count = tileRows(j, seen);
      const bool sees = j + laneId() < own;
      copyOwn(given, in.q + at, a.dim, a.scale);
      s.load(in.k + a.key(group.head, j), a.width, count);
      const float p = sees ? weightOf(s.dotRow(given), in.stats, row) : 0;
      __syncwarp();
      copyOwn(given, dy + at, a.dim, 1);
      s.load(in.v + a.key(group.head, j), a.width, count);
      const float slope = sees ? p * (s.dotRow(given) - levels[row]) : 0;
      s.load(in.k + a.key(group.head, j), a.width, count);
      s.addRows(sum, slope, count);
    }
    if (group.inside) copyOwn(dq + at, sum, a.dim, a.scale);
    __syncthreads();  // before the next group's rows
  }
}

struct KeyGrads {
  const float *dy, *levels;
  float *dk, *dv;
};

__global__ void attentionGradKeys(Attention a, Operands in, KeyGrads grads) {
  DYN_SHARED(float, memory);
  Shared s(memory, a.dim);
  for (int64_t g = blockIdx.x; g < a.batch * a.heads * a.groups(a.keys); g += gridDim.x) {
    const Group group(g, a.keys);
    const int64_t j = group.inside ? group.row : 0, at = a.key(group.head, j);
    const int64_t whole = a.whole(group.head, in.lengths);
    // The first of the block's keys is seen first.
    const int64_t begin = a.causal ? (group.row / kWarps * kWarps) / kLanes * kLanes : 0;
    float* const key = s.first;
    float* const value = s.second;
    copyOwn(key, in.k + at, a.dim, a.scale);
    copyOwn(value, in.v + at, a.dim, 1);
    constexpr int kParts = kMostHead / kLanes;
    float dk[kParts] = {}, dv[kParts] = {};
    const auto add = [&](float(&to)[kParts], float x, int count) {
      for (int part = 0; part * kLanes < a.dim; ++part) {
        const int64_t d = part * kLanes + laneId();
        for (int l = 0; l < count; ++l) {
          const float by = __shfl_sync(kAllLanes, x, l);
          if (d < a.dim) to[part] += by * s.row(l)[d];
        }
      }
    };
    for (int64_t i = begin; i < a.steps; i += kLanes) {
      const int count = tileRows(i, a.steps);
      const int64_t row = group.head * a.steps + i + laneId();
      const bool sees =
          laneId() < count && group.inside && j < a.seen(whole, i + laneId() + 1);
      s.load(in.q + a.query(group.head, i), a.width, count);
      const float p = sees ? weightOf(s.dotRow(key), in.stats, row) : 0;
      s.load(grads.dy + a.query(group.head, i), a.width, count);
      const float slope = sees ? p * (s.dotRow(value) - grads.levels[row]) : 0;
      add(dv, p, count);
      s.load(in.q + a.query(group.head, i), a.width, count);
      add(dk, slope, count);
    }
    for (int part = 0; group.inside && part * kLanes < a.dim; ++part) {
      const int64_t d = part * kLanes + laneId();
      if (d >= a.dim) continue;
      grads.dk[at + d] = a.scale * dk[part];
      grads.dv[at + d] = dv[part];
    }
    __syncthreads();  // before the next group's rows
  }
}

struct Moved {
  const float *q, *k, *v;
};

__global__ void attentionTangent(Attention a, Operands in, Moved moved, float* out) {
  DYN_SHARED(float, memory);
  Shared s(memory, a.dim);
  for (int64_t g = blockIdx.x; g < a.batch * a.heads * a.groups(a.steps); g += gridDim.x) {
    const Group group(g, a.steps);
    const int64_t i = group.inside ? group.row : 0, at = a.query(group.head, i);
    const int64_t whole = a.whole(group.head, in.lengths), seen = a.seen(whole, group.end);
    const int64_t own = a.seen(whole, i + 1), row = group.head * a.steps + i;
    float* const with = s.first;
    float* const sum = s.second;
    clearOwn(sum, a.dim);
    double total = 0;
    for (int64_t j = 0; j < seen; j += kLanes) {
      const int count = tileRows(j, seen);
      const int64_t keys = a.key(group.head, j);
      const bool sees = j + laneId() < own;
      copyOwn(with, in.q + at, a.dim, a.scale);
      s.load(in.k + keys, a.width, count);
      const float p = sees ? weightOf(s.dotRow(with), in.stats, row) : 0;
      __syncwarp();
      copyOwn(with, moved.q + at, a.dim, a.scale);
      __syncwarp();
      float change = sees ? s.dotRow(with) : 0;
      __syncwarp();
      copyOwn(with, in.q + at, a.dim, a.scale);
      s.load(moved.k + keys, a.width, count);
      if (sees) change += s.dotRow(with);
      const float share = sees ? p * change : 0;
      total += warpSum(share);
      s.load(in.v + keys, a.width, count);
      s.addRows(sum, share, count);
      s.load(moved.v + keys, a.width, count);
      s.addRows(sum, p, count);
    }
    if (group.inside)
      for (int64_t d = laneId(); d < a.dim; d += kLanes)
        out[at + d] = sum[d] - static_cast<float>(total) * in.y[at + d];
    __syncthreads();  // before the next group's rows
  }
}

const int32_t* lengthsOf(const std::vector<Operand>& inputs, size_t at, const Step& step) {
  return inputs.size() > at ? inputs[at].i32(step) : nullptr;
}

}  // namespace

Run op_attention(Instruction& in) {
  const std::vector<Operand> inputs = in.inputs;
  const Operand y = in.outputs.at(0), stats = in.outputs.at(1);
  const Attention a(in);
  return [=](const Step& step) {
    if (y.size() == 0) return;  // guard
    const Operands operands{inputs[0].f32(step), inputs[1].f32(step), inputs[2].f32(step),
                            nullptr,             nullptr,             lengthsOf(inputs, 3, step)};
    LAUNCH(attention, a.blocks(a.steps), kWarps * kLanes, a.sharedBytes(), step.stream, a, operands,
           y.f32(step), stats.f32(step));
  };
}

Run op_attentionGrad(Instruction& in) {
  const std::vector<Operand> inputs = in.inputs, outputs = in.outputs;
  const Attention a(in);
  in.scratchBytes = a.batch * a.heads * a.steps * static_cast<int64_t>(sizeof(float));
  return [=](const Step& step) {
    const Operands operands{inputs[0].f32(step), inputs[1].f32(step), inputs[2].f32(step),
                            inputs[3].f32(step), inputs[4].f32(step), lengthsOf(inputs, 6, step)};
    const float* const dy = inputs[5].f32(step);
    float* const levels = reinterpret_cast<float*>(step.scratch);
    const int64_t rows = a.batch * a.heads * a.steps;
    if (rows > 0) {
      LAUNCH(attentionLevels, blocksForWarps(rows), kThreads, 0, step.stream, a, dy, operands.y,
             levels);
      LAUNCH(attentionGradQueries, a.blocks(a.steps), kWarps * kLanes, a.sharedBytes(),
             step.stream, a, operands, dy, levels, outputs[0].f32(step));
    }
    if (a.batch * a.keys > 0)
      LAUNCH(attentionGradKeys, a.blocks(a.keys), kWarps * kLanes, a.sharedBytes(), step.stream, a,
             operands, KeyGrads{dy, levels, outputs[1].f32(step), outputs[2].f32(step)});
  };
}

Run op_attentionTangent(Instruction& in) {
  const std::vector<Operand> inputs = in.inputs;
  const Operand out = in.outputs.at(0);
  const Attention a(in);
  return [=](const Step& step) {
    if (out.size() == 0) return;  // guard
    const Operands operands{inputs[0].f32(step), inputs[1].f32(step), inputs[2].f32(step),
                            inputs[3].f32(step), inputs[4].f32(step), lengthsOf(inputs, 8, step)};
    const Moved moved{inputs[5].f32(step), inputs[6].f32(step), inputs[7].f32(step)};
    LAUNCH(attentionTangent, a.blocks(a.steps), kWarps * kLanes, a.sharedBytes(), step.stream, a,
           operands, moved, out.f32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
