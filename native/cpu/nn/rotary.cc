// Rotary positions (src/ops/rotary.ts): a row turned by its position's angles, which are found once
// for all rows of a step.
#include <cmath>

#include "cpu/base/kernels.h"
#include "cpu/base/rows.h"

namespace flatmin {
namespace FLATMIN_ISA {

Run op_rotary(Instruction& in) {
  const Operand x = in.inputs.at(0), y = in.outputs.at(0);
  const bool started = in.inputs.size() > 1;
  const Operand start = started ? in.inputs[1] : Operand{};
  const double base = in.number("base"), direction = in.number("direction");
  const int64_t batch = x.dim(0), steps = x.dim(1), width = x.dim(2);
  const int64_t half = width / in.integer("heads") / 2;
  in.scratchBytes = steps * half * 2 * static_cast<int64_t>(sizeof(float));
  return [=](const Step& step) {
    float* const turns = reinterpret_cast<float*>(step.scratch);
    const int64_t first = started ? *start.i32(step) : 0;
    forRows(step.pool, steps, 64 * half, [&](int64_t begin, int64_t end, int64_t) {
      for (int64_t t = begin; t < end; ++t)
        for (int64_t i = 0; i < half; ++i) {
          const double angle = static_cast<double>(first + t) *
                               std::pow(base, -static_cast<double>(i) / static_cast<double>(half));
          turns[2 * t * half + i] = static_cast<float>(std::cos(angle));
          turns[(2 * t + 1) * half + i] = static_cast<float>(direction * std::sin(angle));
        }
    });
    forRows(step.pool, batch * steps, width, [&](int64_t begin, int64_t end, int64_t) {
      for (int64_t r = begin; r < end; ++r) {
        const float* const cos = turns + 2 * (r % steps) * half;
        const float* const sin = cos + half;
        for (int64_t at = r * width; at < (r + 1) * width; at += 2 * half) {
          const float* const from = x.f32(step) + at;
          float* const to = y.f32(step) + at;
          for (int64_t i = 0; i < half; ++i) {
            const float a = from[i], b = from[i + half];
            to[i] = a * cos[i] - b * sin[i];
            to[i + half] = a * sin[i] + b * cos[i];
          }
        }
      }
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
