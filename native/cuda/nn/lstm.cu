// lstm, lstmGrad and lstmTangent (src/ops/lstm.ts). Forward and tangent give a warp to a unit of a row,
// which reads four rows of W, and then to an output of the projection, where there is one; the
// gradient a thread, which reads columns.
#include "cuda/base/kernels.h"
#include "cuda/nn/recurrence.h"

namespace flatmin {
namespace cuda {

namespace {

constexpr int kGates = 4;

struct Lstm : Sequences {
  int64_t hidden, width;    // of units and of outputs
  const float* weight;      // [4H, P]
  const float* projection;  // [P, H]; null where there is none

  // `more` operands stand between the weight and lengths of a projected LSTM.
  Lstm(const Operand& gates, const Instruction& in, size_t weightAt, size_t more, const Step& step)
      : Sequences(gates, in, weightAt + 1 + (in.integer("projected") ? more : 0), step),
        hidden(gates.dim(2) / kGates),
        width(in.inputs[weightAt].dim(1)),
        weight(in.inputs[weightAt].f32(step)),
        projection(in.integer("projected") ? in.inputs[weightAt + 1].f32(step) : nullptr) {}
};

struct Unit {
  float i, f, g, o, before, cell;

  __device__ Unit(const Lstm& s, int64_t row, int64_t t, int64_t j, const float* gates,
                  const float* cells) {
    const int64_t at = s.at(row, t);
    i = gates[(at * kGates + 0) * s.hidden + j];
    f = gates[(at * kGates + 1) * s.hidden + j];
    g = gates[(at * kGates + 2) * s.hidden + j];
    o = gates[(at * kGates + 3) * s.hidden + j];
    before = t > 0 ? cells[s.at(row, t - 1) * s.hidden + j] : 0.0f;
    cell = cells[at * s.hidden + j];
  }
};

// Of unit j, the whole warp's: z_t + W y_{t−1} of the four gates.
__device__ inline void sumsOf(const Lstm& s, int64_t row, int64_t t, int64_t j, const float* z,
                              const float* y, float (&sums)[kGates]) {
  const float* const before = t > 0 ? y + s.at(row, t - 1) * s.width : nullptr;
  for (int gate = 0; gate < kGates; ++gate) {
    const int64_t unit = gate * s.hidden + j;
    sums[gate] = z[s.at(row, t) * kGates * s.hidden + unit] +
                 rowTimes(s.weight + unit * s.width, before, s.width);
  }
}

// y_t ← r_t + W_p m_t, where m has a row for each step of each row, or for each row.
__global__ void projectStep(Lstm s, int64_t t, bool ofRows, const float* offset, const float* m,
                            float* y) {
  for (int64_t w = globalWarp(); w < s.batch * s.width; w += globalWarps()) {
    const int64_t row = w / s.width, p = w % s.width, at = s.at(row, t);
    float value = 0;
    if (!s.ended(row, t))
      value = offset[at * s.width + p] + rowTimes(s.projection + p * s.hidden,
                                                  m + (ofRows ? row : at) * s.hidden, s.hidden);
    if (laneId() == 0) y[at * s.width + p] = value;
  }
}

__global__ void lstmStep(Lstm s, int64_t t, const float* z, const float* h, float* gates,
                         float* cells, float* units) {
  for (int64_t w = globalWarp(); w < s.batch * s.hidden; w += globalWarps()) {
    const int64_t row = w / s.hidden, j = w % s.hidden, at = s.at(row, t);
    float values[kGates] = {}, cell = 0, y = 0;
    if (!s.ended(row, t)) {
      sumsOf(s, row, t, j, z, h, values);
      for (int gate = 0; gate < kGates; ++gate)
        values[gate] = gate == 2 ? tanhOf(values[gate]) : sigmoidOf(values[gate]);
      const float before = t > 0 ? cells[s.at(row, t - 1) * s.hidden + j] : 0.0f;
      cell = values[1] * before + values[0] * values[2];
      y = values[3] * tanhOf(cell);
    }
    __syncwarp();  // gates may stand where z does
    if (laneId() != 0) continue;
    for (int gate = 0; gate < kGates; ++gate)
      gates[(at * kGates + gate) * s.hidden + j] = values[gate];
    cells[at * s.hidden + j] = cell;
    units[at * s.hidden + j] = y;
  }
}

}  // namespace

Run op_lstm(Instruction& in) {
  const Operand z = in.inputs.at(0), h = in.outputs.at(0);
  const Operand gates = in.outputs.at(1), cells = in.outputs.at(2), units = in.outputs.back();
  const Instruction given = in;
  return [=](const Step& step) {
    const Lstm s(z, given, 1, 2, step);
    float* const m = s.projection ? units.f32(step) : h.f32(step);
    for (int64_t t = 0; t < s.steps; ++t) {
      if (cells.size() > 0)
        LAUNCH(lstmStep, blocksForWarps(s.batch * s.hidden), kThreads, 0, step.stream, s, t,
               z.f32(step), h.f32(step), gates.f32(step), cells.f32(step), m);
      if (s.projection && h.size() > 0)
        LAUNCH(projectStep, blocksForWarps(s.batch * s.width), kThreads, 0, step.stream, s, t,
               false, given.inputs[3].f32(step), m, h.f32(step));
    }
  };
}

namespace {

// dcells and dunits [batch, hidden]: changes of the cells, from step to step, and of the units.
__global__ void lstmTangentStep(Lstm s, int64_t t, const float* du, const float* gates,
                                const float* cells, float* dcells, float* dunits, float* dh) {
  for (int64_t w = globalWarp(); w < s.batch * s.hidden; w += globalWarps()) {
    const int64_t row = w / s.hidden, j = w % s.hidden, at = s.at(row, t);
    float change = 0;
    if (!s.ended(row, t)) {
      float d[kGates];
      sumsOf(s, row, t, j, du, dh, d);
      const Unit u(s, row, t, j, gates, cells);
      const float y = tanhOf(u.cell);
      const float di = d[0] * u.i * (1 - u.i), df = d[1] * u.f * (1 - u.f);
      const float dg = d[2] * (1 - u.g * u.g), dout = d[3] * u.o * (1 - u.o);
      const float carried = t > 0 ? dcells[w] : 0.0f;
      const float dc = u.f * carried + u.before * df + u.g * di + u.i * dg;
      __syncwarp();
      if (laneId() == 0) dcells[w] = dc;
      change = u.o * (1 - y * y) * dc + y * dout;
    }
    if (laneId() == 0) (s.projection ? dunits[w] : dh[at * s.hidden + j]) = change;
  }
}

}  // namespace

Run op_lstmTangent(Instruction& in) {
  const Operand du = in.inputs.at(0), gates = in.inputs.at(1), cells = in.inputs.at(2);
  const Operand dh = in.outputs.at(0);
  const int64_t carried = cells.dim(0) * cells.dim(2);
  in.scratchBytes = 2 * carried * static_cast<int64_t>(sizeof(float));
  const Instruction given = in;
  return [=](const Step& step) {
    const Lstm s(du, given, 3, 2, step);
    float* const dcells = reinterpret_cast<float*>(step.scratch);
    float* const dunits = dcells + carried;
    for (int64_t t = 0; t < s.steps; ++t) {
      if (cells.size() > 0)
        LAUNCH(lstmTangentStep, blocksForWarps(s.batch * s.hidden), kThreads, 0, step.stream, s, t,
               du.f32(step), gates.f32(step), cells.f32(step), dcells, dunits, dh.f32(step));
      if (s.projection && dh.size() > 0)
        LAUNCH(projectStep, blocksForWarps(s.batch * s.width), kThreads, 0, step.stream, s, t, true,
               given.inputs[5].f32(step), dunits, dh.f32(step));
    }
  };
}

namespace {

// dh_t and what the step after it carries back to it, of output p.
__device__ inline float totalOf(const Lstm& s, int64_t row, int64_t t, int64_t p, const float* dh,
                                const float* dz) {
  const float d = dh[s.at(row, t) * s.width + p];
  if (t + 1 == s.steps) return d;
  const int64_t rows = kGates * s.hidden;
  return d + columnTimes(s.weight, rows, s.width, p, dz + s.at(row, t + 1) * rows);
}

// The same of a projected LSTM, for every output.
__global__ void lstmTotalStep(Lstm s, int64_t t, const float* dh, const float* dz, float* dy) {
  for (int64_t w = globalThread(); w < s.batch * s.width; w += globalThreads()) {
    const int64_t row = w / s.width, p = w % s.width;
    dy[s.at(row, t) * s.width + p] = s.ended(row, t) ? 0.0f : totalOf(s, row, t, p, dh, dz);
  }
}

// dcells [batch, hidden]: gradients by the cells, from step to step; 0 at the end of a row. dy of
// a projected LSTM, null of another.
__global__ void lstmGradStep(Lstm s, int64_t t, const float* dh, const float* dy,
                             const float* gates, const float* cells, float* dcells, float* dz) {
  for (int64_t w = globalThread(); w < s.batch * s.hidden; w += globalThreads()) {
    const int64_t row = w / s.hidden, j = w % s.hidden, at = s.at(row, t);
    float parts[kGates] = {}, carried = 0;
    if (!s.ended(row, t)) {
      const float d = dy ? columnTimes(s.projection, s.width, s.hidden, j, dy + at * s.width)
                         : totalOf(s, row, t, j, dh, dz);
      const Unit u(s, row, t, j, gates, cells);
      const float y = tanhOf(u.cell);
      const float dc = (t + 1 == s.steps ? 0.0f : dcells[w]) + d * u.o * (1 - y * y);
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
  const Operand dz = in.outputs.at(0), dy = in.outputs.back();
  in.scratchBytes = cells.dim(0) * cells.dim(2) * static_cast<int64_t>(sizeof(float));
  const Instruction given = in;
  return [=](const Step& step) {
    const Lstm s(gates, given, 3, 1, step);
    float* const dcells = reinterpret_cast<float*>(step.scratch);
    float* const totals = s.projection ? dy.f32(step) : nullptr;
    for (int64_t t = s.steps - 1; t >= 0; --t) {
      if (totals && dy.size() > 0)
        LAUNCH(lstmTotalStep, blocksFor(s.batch * s.width), kThreads, 0, step.stream, s, t,
               dh.f32(step), dz.f32(step), totals);
      if (cells.size() > 0)
        LAUNCH(lstmGradStep, blocksFor(s.batch * s.hidden), kThreads, 0, step.stream, s, t,
               dh.f32(step), totals, gates.f32(step), cells.f32(step), dcells, dz.f32(step));
    }
  };
}

}  // namespace cuda
}  // namespace flatmin
