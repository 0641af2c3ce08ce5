// Sums and maxima over the middle of [outer, length, inner], and their gradients. Long sums are cut
// into pieces by the shape alone, whose sums are added in order by a second kernel.
#include "cuda/base/block.h"
#include "cuda/base/kernels.h"

namespace flatmin {
namespace cuda {

namespace {

struct Axis {
  int64_t outer, length, inner;

  explicit Axis(const Instruction& in)
      : outer(in.integer("outer")), length(in.integer("length")), inner(in.integer("inner")) {}
};

// Where sums go: to y, or to partial[(outer · pieces + piece) · inner + i] when there are several
// pieces.
struct Sums {
  float* y;
  double* partial;
  __device__ void put(int64_t index, double total) const {
    if (partial)
      partial[index] = total;
    else
      y[index] = static_cast<float>(total);
  }
};

constexpr int64_t kRowPiece = 32 * kThreads;  // a thread adds 32 floats, and then doubles are added
constexpr int64_t kWarpRow = 32 * kLanes;
constexpr int64_t kColumnPiece = 32 * (kThreads / kLanes);

// inner = 1, a warp to a row of at most kWarpRow.
__global__ void sumShortRows(int64_t rows, int64_t length, const float* x, float* y) {
  for (int64_t row = globalWarp(); row < rows; row += globalWarps()) {
    float sum = 0;
    for (int64_t i = laneId(); i < length; i += kLanes) sum += x[row * length + i];
    const double total = warpSum(sum);
    if (laneId() == 0) y[row] = static_cast<float>(total);
  }
}

// inner = 1, a block to a piece of a row.
__global__ void sumRows(int64_t rows, int64_t length, int64_t pieces, const float* x, Sums sums) {
  for (int64_t task = blockIdx.x; task < rows * pieces; task += gridDim.x) {
    const int64_t begin = task % pieces * kRowPiece;
    const int64_t end = begin + kRowPiece < length ? begin + kRowPiece : length;
    const float* const row = x + task / pieces * length;
    float sum = 0;
    for (int64_t i = begin + threadIdx.x; i < end; i += kThreads) sum += row[i];
    const double total = blockSum(sum);
    if (threadIdx.x == 0) sums.put(task, total);
  }
}

// A block to kLanes columns of a piece: neighbouring threads read neighbouring columns.
__global__ void sumColumns(Axis axis, int64_t pieces, const float* x, Sums sums) {
  constexpr int kSlots = kThreads / kLanes;
  SHARED(double, parts, [kSlots][kLanes]);
  const int64_t blocks = (axis.inner + kLanes - 1) / kLanes;
  const int slot = static_cast<int>(threadIdx.x / kLanes);
  for (int64_t task = blockIdx.x; task < axis.outer * pieces * blocks; task += gridDim.x) {
    const int64_t column = task % blocks * kLanes + laneId();
    const int64_t piece = task / blocks;  // of all outer ones
    const int64_t begin = piece % pieces * kColumnPiece;
    const int64_t end = begin + kColumnPiece < axis.length ? begin + kColumnPiece : axis.length;
    float sum = 0;
    if (column < axis.inner)
      for (int64_t r = begin + slot; r < end; r += kSlots)
        sum += x[(piece / pieces * axis.length + r) * axis.inner + column];
    parts[slot][laneId()] = sum;
    __syncthreads();
    if (slot == 0 && column < axis.inner) {
      double total = 0;
      for (int s = 0; s < kSlots; ++s) total += parts[s][laneId()];
      sums.put(piece * axis.inner + column, total);
    }
    __syncthreads();
  }
}

__global__ void addPieces(int64_t outer, int64_t inner, int64_t pieces, const double* partial,
                          float* y) {
  for (int64_t at = globalThread(); at < outer * inner; at += globalThreads()) {
    double total = 0;
    for (int64_t p = 0; p < pieces; ++p)
      total += partial[(at / inner * pieces + p) * inner + at % inner];
    y[at] = static_cast<float>(total);
  }
}

}  // namespace

Run op_sum(Instruction& in) {
  const Axis axis(in);
  const Operand x = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  const int64_t size = axis.outer * axis.inner;
  if (size == 0) return [](const Step&) {};
  if (axis.inner == 1 && axis.length <= kWarpRow) {
    return [=](const Step& step) {
      LAUNCH(sumShortRows, blocksForWarps(size), kThreads, 0, step.stream, size, axis.length,
             x.f32(step), y.f32(step));
    };
  }
  const int64_t depth = axis.inner == 1 ? kRowPiece : kColumnPiece;
  const int64_t pieces = std::max<int64_t>(1, (axis.length + depth - 1) / depth);
  if (pieces > 1) in.scratchBytes = size * pieces * static_cast<int64_t>(sizeof(double));
  const int64_t blocks = (axis.inner + kLanes - 1) / kLanes;
  const int64_t tasks = axis.outer * pieces * (axis.inner == 1 ? 1 : blocks);
  const unsigned grid = static_cast<unsigned>(std::min(tasks, kMostBlocks));
  return [=](const Step& step) {
    double* const partial = pieces > 1 ? reinterpret_cast<double*>(step.scratch) : nullptr;
    const Sums sums{y.f32(step), partial};
    if (axis.inner == 1)
      LAUNCH(sumRows, grid, kThreads, 0, step.stream, axis.outer, axis.length, pieces, x.f32(step),
             sums);
    else
      LAUNCH(sumColumns, grid, kThreads, 0, step.stream, axis, pieces, x.f32(step), sums);
    if (pieces > 1)
      LAUNCH(addPieces, blocksFor(size), kThreads, 0, step.stream, axis.outer, axis.inner, pieces,
             partial, y.f32(step));
  };
}

namespace {

__global__ void expand(int64_t size, Axis axis, const float* x, float* y) {
  for (int64_t at = globalThread(); at < size; at += globalThreads())
    y[at] = x[at / (axis.length * axis.inner) * axis.inner + at % axis.inner];
}

}  // namespace

Run op_expand(Instruction& in) {
  const Axis axis(in);
  const Operand x = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  return [=](const Step& step) {
    if (y.size() == 0) return;  // guard
    LAUNCH(expand, blocksFor(y.size()), kThreads, 0, step.stream, y.size(), axis, x.f32(step),
           y.f32(step));
  };
}

namespace {

// The first largest, or the first NaN; −∞ of nothing.
struct Best {
  float value;
  int index;

  __device__ static Best none() { return {-__builtin_inff(), 0x7fffffff}; }
  __device__ bool loses(const Best& other) const {
    const bool nan = value != value, otherNan = other.value != other.value;
    if (nan != otherNan) return otherNan;
    if (!nan && value != other.value) return other.value > value;
    return other.index < index;
  }
  __device__ void meet(const Best& other) {
    if (loses(other)) *this = other;
  }
  __device__ void store(int64_t at, float* y, int32_t* indices) const {
    y[at] = value;
    indices[at] = index == 0x7fffffff ? 0 : index;
  }
};

__global__ void maxRows(int64_t rows, int64_t length, const float* x, float* y, int32_t* indices) {
  for (int64_t row = globalWarp(); row < rows; row += globalWarps()) {
    Best best = Best::none();
    for (int64_t i = laneId(); i < length; i += kLanes)
      best.meet({x[row * length + i], static_cast<int>(i)});
    for (int d = kLanes / 2; d > 0; d /= 2)
      best.meet(
          {__shfl_xor_sync(kAllLanes, best.value, d), __shfl_xor_sync(kAllLanes, best.index, d)});
    if (laneId() == 0) best.store(row, y, indices);
  }
}

__global__ void maxColumns(Axis axis, const float* x, float* y, int32_t* indices) {
  for (int64_t at = globalThread(); at < axis.outer * axis.inner; at += globalThreads()) {
    const float* const column = x + at / axis.inner * axis.length * axis.inner + at % axis.inner;
    Best best = Best::none();
    for (int64_t k = 0; k < axis.length; ++k)
      best.meet({column[k * axis.inner], static_cast<int>(k)});
    best.store(at, y, indices);
  }
}

}  // namespace

Run op_max(Instruction& in) {
  const Axis axis(in);
  const Operand x = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  const Operand index = in.outputs.at(1);
  return [=](const Step& step) {
    if (y.size() == 0) return;  // guard
    if (axis.inner == 1)
      LAUNCH(maxRows, blocksForWarps(axis.outer), kThreads, 0, step.stream, axis.outer, axis.length,
             x.f32(step), y.f32(step), index.i32(step));
    else
      LAUNCH(maxColumns, blocksFor(y.size()), kThreads, 0, step.stream, axis, x.f32(step),
             y.f32(step), index.i32(step));
  };
}

namespace {

__global__ void maxGrad(int64_t size, Axis axis, const float* dy, const int32_t* indices,
                        float* dx) {
  for (int64_t at = globalThread(); at < size; at += globalThreads()) {
    const int64_t row = at / axis.inner;
    const int64_t from = row / axis.length * axis.inner + at % axis.inner;
    dx[at] = indices[from] == row % axis.length ? dy[from] : 0.0f;
  }
}

}  // namespace

Run op_maxGrad(Instruction& in) {
  const Axis axis(in);
  const Operand dy = in.inputs.at(0);
  const Operand index = in.inputs.at(1);
  const Operand dx = in.outputs.at(0);
  return [=](const Step& step) {
    if (dx.size() == 0) return;  // guard
    LAUNCH(maxGrad, blocksFor(dx.size()), kThreads, 0, step.stream, dx.size(), axis, dy.f32(step),
           index.i32(step), dx.f32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
