// lstm: (i, f, g, o) = (σ, σ, tanh, σ)(z_t + W h_{t−1}), c_t = f c_{t−1} + i g, h_t = o tanh c_t,
// and lstmTangent, its derivative along a change of z + W h_{t−1} (src/ops/lstm.ts). W is packed
// once, so that a block of units reads it in order; the gates are made of the sums in registers.
#include "cpu/nn/lstm.h"

#include "cpu/base/kernels.h"
#include "cpu/base/transpose.h"
#include "formulas/elementary.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

int64_t packedFloats(const Recurrence& s) { return s.blocks() * s.hidden * kGates * kLanes; }

// Of a block: for every unit p of the step before, a vector of each gate.
void pack(const Recurrence& s, const float* weight, float* packed, ThreadPool& pool) {
  pool.parallel(s.blocks(), [&](int64_t block, int) {
    float* const own = packed + block * s.hidden * kGates * kLanes;
    const int64_t lanes = s.lanes(block);
    for (int64_t gate = 0; gate < kGates; ++gate) {
      const float* const rows = weight + (gate * s.hidden + block * kLanes) * s.hidden;
      for (int64_t p = 0; p < s.hidden; p += kLanes) {
        const int64_t columns = std::min<int64_t>(kLanes, s.hidden - p);
        vf square[kLanes];
        for (int64_t l = 0; l < kLanes; ++l)
          square[l] = l < lanes ? loadFirst(rows + l * s.hidden + p, columns) : vf{};
        transpose(square);
        for (int64_t i = 0; i < columns; ++i)
          store(own + ((p + i) * kGates + gate) * kLanes, square[i]);
      }
    }
  });
}

// sums += W y of R rows for a block of units.
template <int R>
inline void addProducts(int64_t hidden, const float* packed, const float* const (&y)[R],
                        vf (&sums)[R][kGates]) {
  vf acc[R][kGates];
  FLATMIN_UNROLL
  for (int r = 0; r < R; ++r) {
    FLATMIN_UNROLL
    for (int gate = 0; gate < kGates; ++gate) acc[r][gate] = sums[r][gate];
  }
  for (int64_t p = 0; p < hidden; ++p, packed += kGates * kLanes) {
    FLATMIN_UNROLL
    for (int gate = 0; gate < kGates; ++gate) {
      const vf w = load(packed + gate * kLanes);
      FLATMIN_UNROLL
      for (int r = 0; r < R; ++r) acc[r][gate] += y[r][p] * w;
    }
  }
  FLATMIN_UNROLL
  for (int r = 0; r < R; ++r) {
    FLATMIN_UNROLL
    for (int gate = 0; gate < kGates; ++gate) sums[r][gate] = acc[r][gate];
  }
}

// unit(z_t + W y_{t−1}, row, t, step, first unit, lanes) for every block of units, in the order of
// the steps: it writes y_t.
template <int R, class Unit>
void recur(const Recurrence& s, const Group<R>& group, const float* z, const float* packed,
           const float* y, Unit unit) {
  for (int64_t t = 0; t < group.longest; ++t) {
    const float* before[R];
    for (int r = 0; r < R; ++r) before[r] = t > 0 ? y + group.at(s, r, t - 1) * s.hidden : y;
    for (int64_t block = 0; block < s.blocks(); ++block) {
      const int64_t j = block * kLanes, lanes = s.lanes(block);
      vf sums[R][kGates];
      for (int r = 0; r < R; ++r)
        for (int gate = 0; gate < kGates; ++gate)
          sums[r][gate] = loadFirst(z + (group.at(s, r, t) * kGates + gate) * s.hidden + j, lanes);
      if (t > 0)
        addProducts<R>(s.hidden, packed + block * s.hidden * kGates * kLanes, before, sums);
      for (int r = 0; r < R; ++r)
        if (t < group.length[r]) unit(sums[r], r, t, group.at(s, r, t), j, lanes);
    }
  }
}

vf sigmoid(vf x) { return formulas::sigmoid<vf, vu>(x); }
vf tanh(vf x) { return formulas::tanh<vf, vu>(x); }

// Inputs: z or its change, the others, W and, where there are any, lengths.
struct Inputs {
  Operand z, weight, ends;
  bool hasEnds;

  Inputs(const Instruction& in, size_t weightAt)
      : z(in.inputs.at(0)),
        weight(in.inputs.at(weightAt)),
        hasEnds(in.inputs.size() > weightAt + 1) {
    if (hasEnds) ends = in.inputs[weightAt + 1];
  }
  const int32_t* lengths(const Step& step) const { return hasEnds ? ends.i32(step) : nullptr; }
};

}  // namespace

Run op_lstm(Instruction& in) {
  const Inputs given(in, 1);
  const Operand hs = in.outputs.at(0), gates = in.outputs.at(1), cells = in.outputs.at(2);
  const Recurrence s(given.z);
  in.scratchBytes = packedFloats(s) * static_cast<int64_t>(sizeof(float));
  return [=](const Step& step) {
    float* const packed = reinterpret_cast<float*>(step.scratch);
    pack(s, given.weight.f32(step), packed, step.pool);
    float *const h = hs.f32(step), *const gate = gates.f32(step), *const c = cells.f32(step);
    forGroups(step.pool, s, [&](auto rows, int64_t first, int64_t) {
      constexpr int R = decltype(rows)::value;
      const Group<R> group(s, first, given.lengths(step));
      group.clearEnds(s, h, s.hidden);
      group.clearEnds(s, c, s.hidden);
      group.clearEnds(s, gate, kGates * s.hidden);
      const auto unit = [&](const vf(&sums)[kGates], int, int64_t t, int64_t at, int64_t j,
                            int64_t lanes) {
        const vf i = sigmoid(sums[0]), f = sigmoid(sums[1]), g = tanh(sums[2]),
                 o = sigmoid(sums[3]);
        const vf before = t > 0 ? loadFirst(c + (at - 1) * s.hidden + j, lanes) : vf{};
        const vf cell = f * before + i * g;
        const vf all[kGates] = {i, f, g, o};
        for (int k = 0; k < kGates; ++k)
          storeFirst(gate + (at * kGates + k) * s.hidden + j, all[k], lanes);
        storeFirst(c + at * s.hidden + j, cell, lanes);
        storeFirst(h + at * s.hidden + j, o * tanh(cell), lanes);
      };
      recur<R>(s, group, given.z.f32(step), packed, h, unit);
    });
  };
}

Run op_lstmTangent(Instruction& in) {
  const Inputs given(in, 3);
  const Operand gates = in.inputs.at(1), cells = in.inputs.at(2), out = in.outputs.at(0);
  const Recurrence s(given.z);
  const int64_t carried = s.blocks() * kLanes * kGroupRows;  // changes of a group's cells
  in.scratchBytes = (packedFloats(s) + s.groups() * carried) * static_cast<int64_t>(sizeof(float));
  return [=](const Step& step) {
    float* const packed = reinterpret_cast<float*>(step.scratch);
    pack(s, given.weight.f32(step), packed, step.pool);
    const float *const gate = gates.f32(step), *const c = cells.f32(step);
    float* const dh = out.f32(step);
    forGroups(step.pool, s, [&](auto rows, int64_t first, int64_t number) {
      constexpr int R = decltype(rows)::value;
      const Group<R> group(s, first, given.lengths(step));
      float* const dcells = packed + packedFloats(s) + number * carried;
      std::fill_n(dcells, carried, 0.0f);
      group.clearEnds(s, dh, s.hidden);
      const auto unit = [&](const vf(&du)[kGates], int r, int64_t t, int64_t at, int64_t j,
                            int64_t lanes) {
        const auto gateOf = [&](int k) {
          return loadFirst(gate + (at * kGates + k) * s.hidden + j, lanes);
        };
        const vf i = gateOf(0), f = gateOf(1), g = gateOf(2), o = gateOf(3);
        const vf before = t > 0 ? loadFirst(c + (at - 1) * s.hidden + j, lanes) : vf{};
        const vf y = tanh(loadFirst(c + at * s.hidden + j, lanes));
        float* const own = dcells + r * s.blocks() * kLanes + j;
        const vf di = du[0] * i * (1.0f - i), df = du[1] * f * (1.0f - f);
        const vf dg = du[2] * (1.0f - g * g), dout = du[3] * o * (1.0f - o);
        const vf dc = f * load(own) + before * df + g * di + i * dg;
        store(own, dc);
        storeFirst(dh + at * s.hidden + j, o * (1.0f - y * y) * dc + y * dout, lanes);
      };
      recur<R>(s, group, given.z.f32(step), packed, dh, unit);
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
