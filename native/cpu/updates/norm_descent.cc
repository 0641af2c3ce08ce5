// Norm-constrained descent: θ ← θ − η(s·u + λθ), u the element of the unit ball with the largest
// ⟨m, u⟩ and s = 1 or the dual norm of m; m ← μm + (1−μ)g. One pass for m and the dual norms, one
// for θ.
#include <cmath>

#include "cpu/base/kernels.h"
#include "cpu/base/lanewise.h"
#include "cpu/updates/update.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

// As in src/ops/norm_descent.ts.
enum Norm { kL2, kLInf, kL1 };

// Σ m², Σ │m│ and the first of the largest │m│ with its element, or the first NaN.
struct Dual {
  double squares = 0, sum = 0;
  float top = -1;
  int64_t at = 0;
  void operator+=(const Dual& other) {
    squares += other.squares;
    sum += other.sum;
    if (other.top <= top || top != top) return;
    top = other.top;
    at = other.at;
  }
};

Dual dualOf(Norm norm, const float* m, int64_t begin, int64_t end) {
  Dual dual;
  double lanes[kLanes] = {};
  int64_t i = begin;
  if (norm == kL1) {
    for (; i < end; ++i) dual += {0, 0, std::fabs(m[i]), i};
    return dual;
  }
  const auto term = [norm](double x) { return norm == kL2 ? x * x : std::fabs(x); };
  for (; i + kLanes <= end; i += kLanes)
    for (int l = 0; l < kLanes; ++l) lanes[l] += term(m[i + l]);
  for (; i < end; ++i) lanes[0] += term(m[i]);
  for (double lane : lanes) (norm == kL2 ? dual.squares : dual.sum) += lane;
  return dual;
}

template <int kWidth>  // 3 with momentum
Run normDescent(Instruction& in) {
  const int64_t lrSlot = in.integer("lrSlot");
  const float momentum = static_cast<float>(in.number("momentum"));
  const float rest = static_cast<float>(1 - in.number("momentum"));
  const float weightDecay = static_cast<float>(in.number("weightDecay"));
  const Norm norm = static_cast<Norm>(in.integer("norm"));
  const bool dual = in.integer("dual") != 0;
  const UpdateList<kWidth> list(in);
  const int64_t chunks = list.chunks.count();
  in.scratchBytes = (chunks + list.tensors()) * static_cast<int64_t>(sizeof(Dual));
  return [=](const Step& step) {
    if (standsStill(list.status.i32(step))) return;
    const float lr = static_cast<float>(step.row[lrSlot]);
    Dual* const duals = reinterpret_cast<Dual*>(step.scratch);
    Dual* const totals = duals + chunks;
    step.pool.parallel(chunks, [&](int64_t i, int) {
      const auto& chunk = list.chunks[i];
      if (kWidth == 3)
        list.applyTo(chunk, step,
                     [&](vf* v) { v[kWidth - 1] = momentum * v[kWidth - 1] + rest * v[1]; });
      duals[i] =
          dualOf(norm, list.data(chunk, kWidth - 1, step) - chunk.begin, chunk.begin, chunk.end);
    });
    list.total(duals, totals);
    step.pool.parallel(chunks, [&](int64_t i, int) {
      const auto& chunk = list.chunks[i];
      const Dual& of = totals[chunk.tensor / kWidth];
      const auto update = [&](auto direction) {
        list.applyTo(chunk, step, [&](vf* v) {
          v[0] = v[0] - lr * (direction(v[kWidth - 1]) + weightDecay * v[0]);
        });
      };
      if (norm == kL2) {
        const double length = dual || of.squares == 0 ? 1 : std::sqrt(of.squares);
        update([&](vf m) {
          for (int l = 0; l < kLanes; ++l) m[l] = static_cast<float>(m[l] / length);
          return m;
        });
      } else if (norm == kLInf) {
        const float scale = dual ? static_cast<float>(of.sum) : 1.0f;
        update([&](vf m) { return scale * signOf(m); });
      } else {
        // Found before θ is written, as it may be of another chunk.
        float* const p = list.operands[static_cast<size_t>(chunk.tensor)].f32(step);
        const float m =
            list.operands[static_cast<size_t>(chunk.tensor + kWidth - 1)].f32(step)[of.at];
        update([](vf) { return vf{}; });
        if (of.at >= chunk.begin && of.at < chunk.end)
          p[of.at] -= lr * (dual ? m : signOf(splat(m))[0]);
      }
    });
  };
}

}  // namespace

Run op_normDescent(Instruction& in) {
  return in.number("momentum") == 0 ? normDescent<2>(in) : normDescent<3>(in);
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
