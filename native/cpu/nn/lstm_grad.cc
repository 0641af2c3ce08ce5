// lstmGrad: the gradient by every step's gates before their functions, from the last step back,
// dh_{t−1} += Wᵀ dz_t; with a projection also dy_t, all of dh_t, and dm_t = W_pᵀ dy_t by the units
// (src/ops/lstm.ts).
#include "cpu/base/kernels.h"
#include "cpu/nn/lstm.h"
#include "formulas/elementary.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

// dz of a vector of units, and dc of the step before in place of that of the step after.
void unitBack(const UnitOfStep& u, vf dh, float* carriedCell, vf (&dz)[kGates]) {
  const vf y = formulas::tanh<vf, vu>(u.cell);
  const vf dc = load(carriedCell) + dh * u.o * (1.0f - y * y);
  dz[0] = dc * u.g * u.i * (1.0f - u.i);
  dz[1] = dc * u.before * u.f * (1.0f - u.f);
  dz[2] = dc * u.i * (1.0f - u.g * u.g);
  dz[3] = dh * y * u.o * (1.0f - u.o);
  store(carriedCell, dc * u.f);
}

}  // namespace

Run op_lstmGrad(Instruction& in) {
  const bool projected = in.integer("projected") != 0;
  const Operand dhs = in.inputs.at(0), all = in.inputs.at(1), cells = in.inputs.at(2);
  const Operand weight = in.inputs.at(3), out = in.outputs.at(0);
  const Operand projection = projected ? in.inputs.at(4) : Operand{};
  const Operand totals = projected ? in.outputs.at(1) : Operand{};
  const Ends ends(in, projected ? 5 : 4);
  const Sequences s(all, in);
  const Blocks recurrent{weight.dim(0), weight.dim(1)};
  const int64_t hidden = cells.dim(2), units = vectorsOf(hidden) * kLanes;
  const Blocks outputs{recurrent.width, hidden};
  const int64_t width = vectorsOf(recurrent.width) * kLanes;
  // Of a group: what steps carry back to h and to c, and with a projection the gradient by units.
  const int64_t carried = (width + units + (projected ? units : 0)) * kGroupRows;
  in.scratchBytes = s.groups() * carried * static_cast<int64_t>(sizeof(float));
  return [=](const Step& step) {
    const float *const dh = dhs.f32(step), *const gate = all.f32(step);
    const float *const c = cells.f32(step), *const w = weight.f32(step);
    float* const dz = out.f32(step);
    forGroups(step.pool, s, [&](auto rows, int64_t first, int64_t number) {
      constexpr int R = decltype(rows)::value;
      const Group<R> group(s, first, ends.of(step));
      float* const later = reinterpret_cast<float*>(step.scratch) + number * carried;
      float* const dcells = later + width * kGroupRows;
      float* const dunits = projected ? dcells + units * kGroupRows : later;
      std::fill_n(later, carried, 0.0f);
      group.clearEnds(dz, kGates * hidden);
      if (projected) group.clearEnds(totals.f32(step), recurrent.width);
      for (int64_t t = group.longest - 1; t >= 0; --t) {
        // dh_t of all that comes after it.
        const float* rowsOfDy[R];
        for (int r = 0; r < R; ++r) {
          const int64_t at = group.at(r, t) * recurrent.width;
          float* const own = later + r * width;
          rowsOfDy[r] = projected ? totals.f32(step) + at : own;
          for (int64_t j = 0; t < group.length[r] && j < recurrent.width; j += kLanes) {
            const int64_t lanes = std::min<int64_t>(kLanes, recurrent.width - j);
            const vf dy = loadFirst(dh + at + j, lanes) + load(own + j);
            if (projected)
              storeFirst(totals.f32(step) + at + j, dy, lanes);
            else
              store(own + j, dy);
          }
        }
        if (projected) carryBack<R>(outputs, projection.f32(step), rowsOfDy, dunits);
        const float* rowsOfDz[R];
        for (int r = 0; r < R; ++r) {
          const int64_t at = group.at(r, t);
          const int64_t before = t > 0 ? group.at(r, t - 1) : -1;
          rowsOfDz[r] = dz + at * kGates * hidden;
          for (int64_t j = 0; t < group.length[r] && j < hidden; j += kLanes) {
            const int64_t lanes = std::min<int64_t>(kLanes, hidden - j);
            const UnitOfStep unit(gate, c, hidden, at, before, j, lanes);
            vf parts[kGates];
            unitBack(unit, load(dunits + r * units + j), dcells + r * units + j, parts);
            for (int k = 0; k < kGates; ++k)
              storeFirst(dz + (at * kGates + k) * hidden + j, parts[k], lanes);
          }
        }
        if (t > 0) carryBack<R>(recurrent, w, rowsOfDz, later);
      }
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
