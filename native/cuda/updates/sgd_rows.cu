// sgdRows: SGD without momentum by the rows of a gradient that are not 0, each once. The others only
// decay, and without decay stand (src/ops/table_rows.ts).
#include "cuda/base/kernels.h"
#include "cuda/base/status.h"
#include "formulas/updates.h"

namespace flatmin {
namespace cuda {

namespace {

// The step's scalars, of the rate in the parameter row.
struct RowsRule {
  const double* lr;
  float coupled;
  double decoupled;

  __device__ float operator()(float p, float g) const {
    formulas::SgdScalars s{};
    s.lr = static_cast<float>(*lr);
    s.coupled = coupled;
    s.shrink = static_cast<float>(*lr * decoupled);
    formulas::sgd(p, g, s);
    return p;
  }
};

struct Rows {
  int64_t count, width, rows;  // of the gradient, and rows of the table
  const int32_t* at;

  // Where element i of the gradient stands in the table, −1 where it does not.
  __device__ int64_t placeOf(int64_t i) const {
    const int64_t row = at[i / width];
    return row < 0 || row >= rows ? -1 : row * width + i % width;
  }
};

__global__ void moveRows(Rows r, const int32_t* status, RowsRule rule, const float* p,
                         const float* g, float* moved) {
  if (standsStill(status)) return;
  for (int64_t i = globalThread(); i < r.count * r.width; i += globalThreads()) {
    const int64_t place = r.placeOf(i);
    moved[i] = place < 0 ? 0.0f : rule(p[place], g[i]);
  }
}

__global__ void decayTable(int64_t size, const int32_t* status, RowsRule rule, float* p) {
  if (standsStill(status)) return;
  for (int64_t i = globalThread(); i < size; i += globalThreads()) p[i] = rule(p[i], 0);
}

__global__ void storeRows(Rows r, const int32_t* status, const float* moved, float* p) {
  if (standsStill(status)) return;
  for (int64_t i = globalThread(); i < r.count * r.width; i += globalThreads()) {
    const int64_t place = r.placeOf(i);
    if (place >= 0) p[place] = moved[i];
  }
}

}  // namespace

Run op_sgdRows(Instruction& in) {
  const Operand status = in.inputs.at(0), table = in.inputs.at(1);
  const Operand sums = in.inputs.at(2), at = in.inputs.at(3);
  const int64_t lrSlot = in.integer("lrSlot");
  const double weightDecay = in.number("weightDecay");
  const bool decoupled = in.integer("decoupled") != 0;
  in.scratchBytes = sums.size() * static_cast<int64_t>(sizeof(float));
  return [=](const Step& step) {
    const RowsRule rule{step.row + lrSlot, decoupled ? 0.0f : static_cast<float>(weightDecay),
                        decoupled ? weightDecay : 0};
    const Rows rows{sums.dim(0), sums.dim(1), table.dim(0), at.i32(step)};
    float* const moved = reinterpret_cast<float*>(step.scratch);
    if (sums.size() > 0)
      LAUNCH(moveRows, blocksFor(sums.size()), kThreads, 0, step.stream, rows, status.i32(step),
             rule, table.f32(step), sums.f32(step), moved);
    if (weightDecay != 0 && table.size() > 0)
      LAUNCH(decayTable, blocksFor(table.size()), kThreads, 0, step.stream, table.size(),
             status.i32(step), rule, table.f32(step));
    if (sums.size() > 0)
      LAUNCH(storeRows, blocksFor(sums.size()), kThreads, 0, step.stream, rows, status.i32(step),
             moved, table.f32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
