// Lion-K (arXiv 2310.05898) with K = ‖·‖ₚ of each tensor: ∇K(c) = sign(c)│c│^(p−1) / ‖c‖ₚ^(p−1).
// Three passes: the largest │c│, by which all are divided so that no power leaves the range, the
// sum of powers, the update.
#include <cmath>

#include "cpu/base/kernels.h"
#include "cpu/base/lanewise.h"
#include "cpu/updates/update.h"
#include "formulas/lion_slots.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

// The larger of two; a NaN stays.
struct Largest {
  double value = 0;
  void operator+=(const Largest& other) {
    if (!(other.value <= value) && value == value) value = other.value;
  }
};

}  // namespace

Run op_lionLp(Instruction& in) {
  const formulas::LionSlots slots(in);
  const double p = in.number("p");
  const UpdateList<3> list(in);
  const int64_t chunks = list.chunks.count();
  in.scratchBytes =
      (chunks + list.tensors()) * static_cast<int64_t>(sizeof(Largest) + sizeof(double));
  return [=](const Step& step) {
    if (standsStill(list.status.i32(step))) return;
    const formulas::LionScalars s = slots.at(step.row);
    Largest* const largest = reinterpret_cast<Largest*>(step.scratch);
    Largest* const top = largest + chunks;
    double* const powers = reinterpret_cast<double*>(top + list.tensors());
    double* const power = powers + chunks;
    // reduce(│c│) for every element of a chunk, in order
    const auto forSizes = [&](int64_t i, auto reduce) {
      const auto& chunk = list.chunks[i];
      const float* const g = list.data(chunk, 1, step);
      const float* const m = list.data(chunk, 2, step);
      for (int64_t j = 0; j < chunk.end - chunk.begin; ++j)
        reduce(std::fabs(s.beta1 * m[j] + s.rest1 * g[j]));
    };
    step.pool.parallel(chunks, [&](int64_t i, int) {
      largest[i] = Largest();
      forSizes(i, [&](float size) { largest[i] += Largest{size}; });
    });
    list.total(largest, top);
    step.pool.parallel(chunks, [&](int64_t i, int) {
      const double max = top[list.chunks[i].tensor / 3].value;
      powers[i] = 0;
      forSizes(i, [&](float size) { powers[i] += size == 0 ? 0 : std::pow(size / max, p); });
    });
    list.total(powers, power);
    step.pool.parallel(chunks, [&](int64_t i, int) {
      const auto& chunk = list.chunks[i];
      const double max = top[chunk.tensor / 3].value;
      const double scale = std::pow(power[chunk.tensor / 3], 1 / p - 1);
      const auto gradient = [&](vf c) {
        vf power = {};
        for (int l = 0; l < kLanes; ++l)
          power[l] = static_cast<float>(std::pow(std::fabs(c[l]) / max, p - 1) * scale);
        return c == 0.0f ? c : signOf(c) * power;
      };
      list.applyTo(chunk, step, [&](vf* v) { formulas::lion(v[0], v[1], v[2], s, gradient); });
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
