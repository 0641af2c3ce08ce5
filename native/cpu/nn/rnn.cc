// rnn: h_t = φ(z_t + W h_{t−1}), φ tanh or ReLU; rnnGrad, the gradient by z from the last step back,
// and rnnTangent, the derivative along a change of z + W h_{t−1} (src/ops/rnn.ts).
#include "cpu/base/kernels.h"
#include "cpu/nn/recurrence.h"
#include "formulas/elementary.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

inline vf activate(vf z, bool relu) {
  return relu ? (z > vf{} ? z : vf{}) : formulas::tanh<vf, vu>(z);
}
// φ′ by h = φ(z).
inline vf slopeOf(vf h, bool relu) { return relu ? (h > vf{} ? splat(1.0f) : vf{}) : 1.0f - h * h; }

// x of a step's vector v of a block, which ends where the row does.
struct Place {
  int64_t offset, lanes;

  Place(const Blocks& b, int64_t at, int64_t block, int v)
      : offset(at * b.rows + b.row(block, v)), lanes(b.lanes(block, v)) {}
};

// value(sum, place) of every vector of units is y, in the order of the steps.
template <class Value>
Run recurrent(Instruction& in, size_t weightAt, const Operand& out, Value value) {
  const Operand z = in.inputs.at(0), weight = in.inputs.at(weightAt);
  const Ends ends(in, weightAt + 1);
  const Sequences s(z, in);
  const Blocks b{weight.dim(0), weight.dim(1)};
  in.scratchBytes = b.floats() * static_cast<int64_t>(sizeof(float));
  return [=](const Step& step) {
    float* const packed = reinterpret_cast<float*>(step.scratch);
    pack(b, weight.f32(step), packed, step.pool);
    float* const y = out.f32(step);
    forGroups(step.pool, s, [&](auto rows, int64_t first, int64_t) {
      constexpr int R = decltype(rows)::value;
      const Group<R> group(s, first, ends.of(step));
      group.clearEnds(y, b.rows);
      const auto unit = [&](const vf(&sums)[kBlockVectors], int r, int64_t t, int64_t block) {
        for (int v = 0; v < kBlockVectors; ++v) {
          const Place place(b, group.at(r, t), block, v);
          if (place.lanes > 0)
            storeFirst(y + place.offset, value(step, sums[v], place), place.lanes);
        }
      };
      recur<Blocks, R>(b, group, z.f32(step), packed, y, unit, [](int64_t) {});
    });
  };
}

}  // namespace

Run op_rnn(Instruction& in) {
  const bool relu = in.integer("relu") != 0;
  return recurrent(in, 1, in.outputs.at(0),
                   [=](const Step&, vf z, const Place&) { return activate(z, relu); });
}

Run op_rnnTangent(Instruction& in) {
  const bool relu = in.integer("relu") != 0;
  const Operand h = in.inputs.at(1);
  return recurrent(in, 2, in.outputs.at(0), [=](const Step& step, vf du, const Place& place) {
    return du * slopeOf(loadFirst(h.f32(step) + place.offset, place.lanes), relu);
  });
}

Run op_rnnGrad(Instruction& in) {
  const bool relu = in.integer("relu") != 0;
  const Operand dhs = in.inputs.at(0), hs = in.inputs.at(1), weight = in.inputs.at(2);
  const Operand out = in.outputs.at(0);
  const Ends ends(in, 3);
  const Sequences s(hs, in);
  const Blocks b{weight.dim(0), weight.dim(1)};
  const int64_t width = vectorsOf(b.rows) * kLanes, carried = width * kGroupRows;
  in.scratchBytes = s.groups() * carried * static_cast<int64_t>(sizeof(float));
  return [=](const Step& step) {
    const float *const dh = dhs.f32(step), *const h = hs.f32(step), *const w = weight.f32(step);
    float* const dz = out.f32(step);
    forGroups(step.pool, s, [&](auto rows, int64_t first, int64_t number) {
      constexpr int R = decltype(rows)::value;
      const Group<R> group(s, first, ends.of(step));
      float* const later = reinterpret_cast<float*>(step.scratch) + number * carried;
      std::fill_n(later, carried, 0.0f);
      group.clearEnds(dz, b.rows);
      for (int64_t t = group.longest - 1; t >= 0; --t) {
        const float* rowsOfDz[R];
        for (int r = 0; r < R; ++r) {
          const int64_t at = group.at(r, t) * b.rows;
          rowsOfDz[r] = dz + at;
          for (int64_t j = 0; t < group.length[r] && j < b.rows; j += kLanes) {
            const int64_t lanes = std::min<int64_t>(kLanes, b.rows - j);
            const vf d = loadFirst(dh + at + j, lanes) + load(later + r * width + j);
            storeFirst(dz + at + j, d * slopeOf(loadFirst(h + at + j, lanes), relu), lanes);
          }
        }
        if (t > 0) carryBack<R>(b, w, rowsOfDz, later);
      }
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
