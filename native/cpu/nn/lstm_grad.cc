// lstmGrad: the gradient by every step's gates before their functions, from the last step back,
// dh_{t−1} += Wᵀ dz_t (src/ops/lstm.ts).
#include "cpu/base/kernels.h"
#include "cpu/base/transpose.h"
#include "cpu/nn/lstm.h"
#include "formulas/elementary.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

constexpr int kColumnVectors = 4;  // of W at a time

// out ← Wᵀ dz of R rows for V vectors of columns; the last has so many lanes.
template <int R, int V, bool kTail>
void products(int64_t hidden, const float* weight, const float* const (&dz)[R],
              float* const (&out)[R], int64_t lanes) {
  vf acc[R][V] = {};
  for (int64_t k = 0; k < kGates * hidden; ++k, weight += hidden) {
    FLATMIN_UNROLL
    for (int v = 0; v < V; ++v) {
      const float* const from = weight + v * kLanes;
      const vf w = kTail && v == V - 1 ? loadTail(from, lanes) : load(from);
      FLATMIN_UNROLL
      for (int r = 0; r < R; ++r) acc[r][v] += dz[r][k] * w;
    }
  }
  FLATMIN_UNROLL
  for (int r = 0; r < R; ++r) {
    FLATMIN_UNROLL
    for (int v = 0; v < V; ++v) store(out[r] + v * kLanes, acc[r][v]);
  }
}

template <int R, int V = kColumnVectors>
void productsOf(int vectors, int64_t hidden, const float* weight, const float* const (&dz)[R],
                float* const (&out)[R], int64_t lanes) {
  if constexpr (V > 1) {
    if (vectors < V) return productsOf<R, V - 1>(vectors, hidden, weight, dz, out, lanes);
  }
  if (lanes < kLanes) return products<R, V, true>(hidden, weight, dz, out, lanes);
  products<R, V, false>(hidden, weight, dz, out, lanes);
}

// Rows [R][blocks · kLanes] ← Wᵀ dz.
template <int R>
void carryBack(const Recurrence& s, const float* weight, const float* const (&dz)[R],
               float* carried) {
  for (int64_t block = 0; block < s.blocks(); block += kColumnVectors) {
    const int64_t vectors = std::min<int64_t>(kColumnVectors, s.blocks() - block);
    float* out[R];
    for (int r = 0; r < R; ++r) out[r] = carried + (r * s.blocks() + block) * kLanes;
    productsOf<R>(static_cast<int>(vectors), s.hidden, weight + block * kLanes, dz, out,
                  s.lanes(block + vectors - 1));
  }
}

// dz of a block of units, and dc of the step before in place of that of the step after.
struct Unit {
  vf i, f, g, o, before, cell;

  void back(vf dh, float* carriedCell, vf (&dz)[kGates]) const {
    const vf y = formulas::tanh<vf, vu>(cell);
    const vf dc = load(carriedCell) + dh * o * (1.0f - y * y);
    dz[0] = dc * g * i * (1.0f - i);
    dz[1] = dc * before * f * (1.0f - f);
    dz[2] = dc * i * (1.0f - g * g);
    dz[3] = dh * y * o * (1.0f - o);
    store(carriedCell, dc * f);
  }
};

}  // namespace

Run op_lstmGrad(Instruction& in) {
  const Operand dhs = in.inputs.at(0), gates = in.inputs.at(1), cells = in.inputs.at(2);
  const Operand weight = in.inputs.at(3), out = in.outputs.at(0);
  const bool hasEnds = in.inputs.size() > 4;
  const Operand ends = hasEnds ? in.inputs[4] : Operand{};
  const Recurrence s(gates);
  const int64_t width = s.blocks() * kLanes, carried = width * kGroupRows;
  in.scratchBytes = 2 * s.groups() * carried * static_cast<int64_t>(sizeof(float));
  return [=](const Step& step) {
    const float *const dh = dhs.f32(step), *const gate = gates.f32(step);
    const float *const c = cells.f32(step), *const w = weight.f32(step);
    float* const dz = out.f32(step);
    forGroups(step.pool, s, [&](auto rows, int64_t first, int64_t number) {
      constexpr int R = decltype(rows)::value;
      const Group<R> group(s, first, hasEnds ? ends.i32(step) : nullptr);
      float* const later = reinterpret_cast<float*>(step.scratch) + 2 * number * carried;
      float* const dcells = later + carried;
      std::fill_n(later, 2 * carried, 0.0f);
      group.clearEnds(s, dz, kGates * s.hidden);
      for (int64_t t = group.longest - 1; t >= 0; --t) {
        const float* rowsOfDz[R];
        for (int r = 0; r < R; ++r) {
          const int64_t at = group.at(s, r, t);
          rowsOfDz[r] = dz + at * kGates * s.hidden;
          for (int64_t block = 0; t < group.length[r] && block < s.blocks(); ++block) {
            const int64_t j = block * kLanes, lanes = s.lanes(block);
            const auto gateOf = [&](int k) {
              return loadFirst(gate + (at * kGates + k) * s.hidden + j, lanes);
            };
            const Unit unit{gateOf(0),
                            gateOf(1),
                            gateOf(2),
                            gateOf(3),
                            t > 0 ? loadFirst(c + (at - 1) * s.hidden + j, lanes) : vf{},
                            loadFirst(c + at * s.hidden + j, lanes)};
            vf parts[kGates];
            unit.back(loadFirst(dh + at * s.hidden + j, lanes) + load(later + r * width + j),
                      dcells + r * width + j, parts);
            for (int k = 0; k < kGates; ++k)
              storeFirst(dz + (at * kGates + k) * s.hidden + j, parts[k], lanes);
          }
        }
        if (t > 0) carryBack<R>(s, w, rowsOfDz, later);
      }
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
