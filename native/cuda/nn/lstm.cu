// lstm, lstmGrad and lstmTangent (src/ops/lstm.ts): a launch for every step of the longest row that
// there could be, since a recorded graph knows no lengths; threads of rows that have ended write
// zeros. Forward and tangent give a warp to a unit of a row, which reads four rows of W; the
// gradient a thread, which reads a column.
#include "cuda/base/block.h"
#include "cuda/base/kernels.h"
#include "formulas/elementary.h"

namespace flatmin {
namespace cuda {

namespace {

constexpr int kGates = 4;

struct Recurrence {
  int64_t batch, steps, hidden;
  const float* weight;     // [4H, H]
  const int32_t* lengths;  // of rows; null where all are whole

  Recurrence(const Operand& gates, const Instruction& in, size_t weightAt, const Step& step)
      : batch(gates.dim(0)),
        steps(gates.dim(1)),
        hidden(gates.dim(2) / kGates),
        weight(in.inputs[weightAt].f32(step)),
        lengths(in.inputs.size() > weightAt + 1 ? in.inputs[weightAt + 1].i32(step) : nullptr) {}

  __device__ bool ended(int64_t row, int64_t t) const { return lengths && t >= lengths[row]; }
};

struct Unit {
  float i, f, g, o, before, cell;

  __device__ Unit(const Recurrence& s, int64_t at, int64_t t, int64_t j, const float* gates,
                  const float* cells)
      : i(gates[(at * kGates + 0) * s.hidden + j]),
        f(gates[(at * kGates + 1) * s.hidden + j]),
        g(gates[(at * kGates + 2) * s.hidden + j]),
        o(gates[(at * kGates + 3) * s.hidden + j]),
        before(t > 0 ? cells[(at - 1) * s.hidden + j] : 0.0f),
        cell(cells[at * s.hidden + j]) {}
};

__device__ inline float sigmoid(float x) { return formulas::sigmoid<float, uint32_t>(x); }
__device__ inline float tanhOf(float x) { return formulas::tanh<float, uint32_t>(x); }

// Of unit j, the whole warp's: z_t + W y_{t−1} of the four gates.
__device__ inline void sumsOf(const Recurrence& s, int64_t at, int64_t t, int64_t j, const float* z,
                              const float* y, float (&sums)[kGates]) {
  for (int gate = 0; gate < kGates; ++gate) {
    const float* const row = s.weight + (gate * s.hidden + j) * s.hidden;
    double own = 0;
    if (t > 0)
      for (int64_t p = laneId(); p < s.hidden; p += kLanes)
        own += static_cast<double>(row[p]) * y[(at - 1) * s.hidden + p];
    sums[gate] = z[(at * kGates + gate) * s.hidden + j] + static_cast<float>(warpSum(own));
  }
}

__global__ void lstmStep(Recurrence s, int64_t t, const float* z, float* h, float* gates,
                         float* cells) {
  for (int64_t w = globalWarp(); w < s.batch * s.hidden; w += globalWarps()) {
    const int64_t row = w / s.hidden, j = w % s.hidden, at = row * s.steps + t;
    float values[kGates] = {}, cell = 0, y = 0;
    if (!s.ended(row, t)) {
      sumsOf(s, at, t, j, z, h, values);
      for (int gate = 0; gate < kGates; ++gate)
        values[gate] = gate == 2 ? tanhOf(values[gate]) : sigmoid(values[gate]);
      const float before = t > 0 ? cells[(at - 1) * s.hidden + j] : 0.0f;
      cell = values[1] * before + values[0] * values[2];
      y = values[3] * tanhOf(cell);
    }
    __syncwarp();  // gates may stand where z does
    if (laneId() != 0) continue;
    for (int gate = 0; gate < kGates; ++gate)
      gates[(at * kGates + gate) * s.hidden + j] = values[gate];
    cells[at * s.hidden + j] = cell;
    h[at * s.hidden + j] = y;
  }
}

}  // namespace

Run op_lstm(Instruction& in) {
  const Operand z = in.inputs.at(0), h = in.outputs.at(0);
  const Operand gates = in.outputs.at(1), cells = in.outputs.at(2);
  const Instruction given = in;
  return [=](const Step& step) {
    if (h.size() == 0) return;  // guard
    const Recurrence s(z, given, 1, step);
    for (int64_t t = 0; t < s.steps; ++t)
      LAUNCH(lstmStep, blocksForWarps(s.batch * s.hidden), kThreads, 0, step.stream, s, t,
             z.f32(step), h.f32(step), gates.f32(step), cells.f32(step));
  };
}

namespace {

// dcells [batch, hidden]: changes of the cells, from step to step.
__global__ void lstmTangentStep(Recurrence s, int64_t t, const float* du, const float* gates,
                                const float* cells, float* dcells, float* dh) {
  for (int64_t w = globalWarp(); w < s.batch * s.hidden; w += globalWarps()) {
    const int64_t row = w / s.hidden, j = w % s.hidden, at = row * s.steps + t;
    float change = 0;
    if (!s.ended(row, t)) {
      float d[kGates];
      sumsOf(s, at, t, j, du, dh, d);
      const Unit u(s, at, t, j, gates, cells);
      const float y = tanhOf(u.cell);
      const float di = d[0] * u.i * (1 - u.i), df = d[1] * u.f * (1 - u.f);
      const float dg = d[2] * (1 - u.g * u.g), dout = d[3] * u.o * (1 - u.o);
      const float carried = t > 0 ? dcells[w] : 0.0f;
      const float dc = u.f * carried + u.before * df + u.g * di + u.i * dg;
      __syncwarp();
      if (laneId() == 0) dcells[w] = dc;
      change = u.o * (1 - y * y) * dc + y * dout;
    }
    if (laneId() == 0) dh[at * s.hidden + j] = change;
  }
}

}  // namespace

Run op_lstmTangent(Instruction& in) {
  const Operand du = in.inputs.at(0), gates = in.inputs.at(1), cells = in.inputs.at(2);
  const Operand dh = in.outputs.at(0);
  in.scratchBytes = dh.dim(0) * dh.dim(2) * static_cast<int64_t>(sizeof(float));
  const Instruction given = in;
  return [=](const Step& step) {
    if (dh.size() == 0) return;  // guard
    const Recurrence s(du, given, 3, step);
    float* const dcells = reinterpret_cast<float*>(step.scratch);
    for (int64_t t = 0; t < s.steps; ++t)
      LAUNCH(lstmTangentStep, blocksForWarps(s.batch * s.hidden), kThreads, 0, step.stream, s, t,
             du.f32(step), gates.f32(step), cells.f32(step), dcells, dh.f32(step));
  };
}

namespace {

// dcells [batch, hidden]: gradients by the cells, from step to step; 0 at the end of a row.
__global__ void lstmGradStep(Recurrence s, int64_t t, const float* dh, const float* gates,
                             const float* cells, float* dcells, float* dz) {
  for (int64_t w = globalThread(); w < s.batch * s.hidden; w += globalThreads()) {
    const int64_t row = w / s.hidden, j = w % s.hidden, at = row * s.steps + t;
    float parts[kGates] = {}, carried = 0;
    if (!s.ended(row, t)) {
      float d = dh[at * s.hidden + j];
      const bool last = t + 1 == s.steps;
      for (int64_t k = 0; !last && k < kGates * s.hidden; ++k)
        d += dz[(at + 1) * kGates * s.hidden + k] * s.weight[k * s.hidden + j];
      const Unit u(s, at, t, j, gates, cells);
      const float y = tanhOf(u.cell);
      const float dc = (last ? 0.0f : dcells[w]) + d * u.o * (1 - y * y);
      parts[0] = dc * u.g * u.i * (1 - u.i);
      parts[1] = dc * u.before * u.f * (1 - u.f);
      parts[2] = dc * u.i * (1 - u.g * u.g);
      parts[3] = d * y * u.o * (1 - u.o);
      carried = dc * u.f;
    }
    for (int gate = 0; gate < kGates; ++gate) dz[(at * kGates + gate) * s.hidden + j] = parts[gate];
    dcells[w] = carried;
  }
}

}  // namespace

Run op_lstmGrad(Instruction& in) {
  const Operand dh = in.inputs.at(0), gates = in.inputs.at(1), cells = in.inputs.at(2);
  const Operand dz = in.outputs.at(0);
  in.scratchBytes = dh.dim(0) * dh.dim(2) * static_cast<int64_t>(sizeof(float));
  const Instruction given = in;
  return [=](const Step& step) {
    if (dz.size() == 0) return;  // guard
    const Recurrence s(gates, given, 3, step);
    float* const dcells = reinterpret_cast<float*>(step.scratch);
    for (int64_t t = s.steps - 1; t >= 0; --t)
      LAUNCH(lstmGradStep, blocksFor(s.batch * s.hidden), kThreads, 0, step.stream, s, t,
             dh.f32(step), gates.f32(step), cells.f32(step), dcells, dz.f32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
