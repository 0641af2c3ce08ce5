// lstm: (i, f, g, o) = (σ, σ, tanh, σ)(z_t + W h_{t−1}), c_t = f c_{t−1} + i g, h_t = o tanh c_t, or
// with a projection h_t = r_t + W_p(o tanh c_t), and lstmTangent, its derivative along a change of
// z + W h_{t−1} and of r (src/ops/lstm.ts). The gates are made of the sums in registers.
#include "cpu/nn/lstm.h"

#include "cpu/base/kernels.h"
#include "formulas/elementary.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

vf sigmoid(vf x) { return formulas::sigmoid<vf, vu>(x); }
vf tanh(vf x) { return formulas::tanh<vf, vu>(x); }

// A recurrence over `weight` and, where there is one, a projection, both packed in scratch.
struct Lstm {
  Operand z, weight, projection, offset;
  bool projected;
  Ends ends;
  Sequences s;
  GateBlocks gates;
  Blocks outputs;  // of the projection

  Lstm(const Instruction& in, size_t weightAt)
      : z(in.inputs.at(0)),
        weight(in.inputs.at(weightAt)),
        projected(in.integer("projected") != 0),
        ends(in, weightAt + (projected ? 3 : 1)),
        s(z, in),
        gates(z.dim(2) / kGates, weight.dim(1)),
        outputs{projected ? weight.dim(1) : 0, gates.units} {
    if (!projected) return;
    projection = in.inputs.at(weightAt + 1);
    offset = in.inputs.at(weightAt + 2);
  }
  int64_t packedFloats() const { return gates.floats() + outputs.floats(); }

  void pack(const Step& step) const {
    float* const packed = reinterpret_cast<float*>(step.scratch);
    FLATMIN_ISA::pack(gates, weight.f32(step), packed, step.pool);
    if (projected)
      FLATMIN_ISA::pack(outputs, projection.f32(step), packed + gates.floats(), step.pool);
  }

  // unit(sums of the gates, row, t, block) for every vector of units, and with a projection
  // y_t ← r_t + W_p units; `unitsOf(row, t)` is where a row's are.
  template <int R, class Unit, class UnitsOf>
  void run(const Step& step, const Group<R>& group, float* y, Unit unit, UnitsOf unitsOf) const {
    const float* const packed = reinterpret_cast<const float*>(step.scratch);
    const auto project = [&](int64_t t) {
      if (!projected) return;
      const float *own[R], *units[R];
      for (int r = 0; r < R; ++r) {
        own[r] = offset.f32(step) + group.at(r, t) * outputs.rows;
        units[r] = unitsOf(r, t);
      }
      forBlocks(outputs, packed + gates.floats(), own, units, true,
                [&](const vf(&sums)[kBlockVectors], int r, int64_t block) {
                  float* const to = y + group.at(r, t) * outputs.rows;
                  for (int v = 0; v < kBlockVectors && t < group.length[r]; ++v)
                    if (const int64_t lanes = outputs.lanes(block, v); lanes > 0)
                      storeFirst(to + outputs.row(block, v), sums[v], lanes);
                });
    };
    recur<GateBlocks, R>(gates, group, z.f32(step), packed, y, unit, project);
  }
};

}  // namespace

Run op_lstm(Instruction& in) {
  const Lstm l(in, 1);
  const Operand hs = in.outputs.at(0), all = in.outputs.at(1), cells = in.outputs.at(2);
  const Operand units = in.outputs.at(l.projected ? 3 : 0);
  const int64_t hidden = l.gates.units;
  in.scratchBytes = l.packedFloats() * static_cast<int64_t>(sizeof(float));
  return [=](const Step& step) {
    l.pack(step);
    float *const h = hs.f32(step), *const c = cells.f32(step);
    float *const gate = all.f32(step), *const m = units.f32(step);
    forGroups(step.pool, l.s, [&](auto rows, int64_t first, int64_t) {
      constexpr int R = decltype(rows)::value;
      const Group<R> group(l.s, first, l.ends.of(step));
      group.clearEnds(h, l.gates.width);
      if (l.projected) group.clearEnds(m, hidden);
      group.clearEnds(c, hidden);
      group.clearEnds(gate, kGates * hidden);
      const auto unit = [&](const vf(&sums)[kGates], int r, int64_t t, int64_t block) {
        const int64_t j = block * kLanes, lanes = l.gates.lanes(block), at = group.at(r, t);
        const vf i = sigmoid(sums[0]), f = sigmoid(sums[1]), g = tanh(sums[2]),
                 o = sigmoid(sums[3]);
        const vf before = t > 0 ? loadFirst(c + group.at(r, t - 1) * hidden + j, lanes) : vf{};
        const vf cell = f * before + i * g;
        const vf values[kGates] = {i, f, g, o};
        for (int k = 0; k < kGates; ++k)
          storeFirst(gate + (at * kGates + k) * hidden + j, values[k], lanes);
        storeFirst(c + at * hidden + j, cell, lanes);
        storeFirst(m + at * hidden + j, o * tanh(cell), lanes);
      };
      l.run<R>(step, group, h, unit, [&](int r, int64_t t) { return m + group.at(r, t) * hidden; });
    });
  };
}

Run op_lstmTangent(Instruction& in) {
  const Lstm l(in, 3);
  const Operand all = in.inputs.at(1), cells = in.inputs.at(2), out = in.outputs.at(0);
  const int64_t hidden = l.gates.units, width = vectorsOf(hidden) * kLanes;
  const int64_t carried = 2 * width * kGroupRows;  // changes of a group's cells, and of its units
  in.scratchBytes =
      (l.packedFloats() + l.s.groups() * carried) * static_cast<int64_t>(sizeof(float));
  return [=](const Step& step) {
    l.pack(step);
    const float *const gate = all.f32(step), *const c = cells.f32(step);
    float* const dh = out.f32(step);
    forGroups(step.pool, l.s, [&](auto rows, int64_t first, int64_t number) {
      constexpr int R = decltype(rows)::value;
      const Group<R> group(l.s, first, l.ends.of(step));
      float* const dcells =
          reinterpret_cast<float*>(step.scratch) + l.packedFloats() + number * carried;
      float* const dunits = dcells + width * kGroupRows;
      std::fill_n(dcells, carried, 0.0f);
      group.clearEnds(dh, l.gates.width);
      const auto unit = [&](const vf(&du)[kGates], int r, int64_t t, int64_t block) {
        const int64_t j = block * kLanes, lanes = l.gates.lanes(block), at = group.at(r, t);
        const UnitOfStep u(gate, c, hidden, at, t > 0 ? group.at(r, t - 1) : -1, j, lanes);
        const vf y = tanh(u.cell);
        float* const own = dcells + r * width + j;
        const vf di = du[0] * u.i * (1.0f - u.i), df = du[1] * u.f * (1.0f - u.f);
        const vf dg = du[2] * (1.0f - u.g * u.g), dout = du[3] * u.o * (1.0f - u.o);
        const vf dc = u.f * load(own) + u.before * df + u.g * di + u.i * dg;
        store(own, dc);
        const vf change = u.o * (1.0f - y * y) * dc + y * dout;
        if (l.projected)
          store(dunits + r * width + j, change);
        else
          storeFirst(dh + at * hidden + j, change, lanes);
      };
      l.run<R>(step, group, dh, unit, [&](int r, int64_t) { return dunits + r * width; });
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
