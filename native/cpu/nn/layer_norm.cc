// Normalisation of rows by their own mean and variance, or by their mean square, and its gradient
// (src/ops/layer_norm.ts). Sums over a row are added in double; those over rows in double too, a
// task's rows first, then the tasks' in order.
#include <cmath>

#include "cpu/base/elementwise.h"
#include "cpu/base/kernels.h"
#include "cpu/base/rows.h"
#include "cpu/base/sums.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

double widthOf(int64_t width) { return static_cast<double>(std::max<int64_t>(1, width)); }

}  // namespace

Run op_layerNorm(Instruction& in) {
  const Operand x = in.inputs.at(0), weight = in.inputs.at(1);
  const bool biased = in.inputs.size() > 2;
  const Operand bias = biased ? in.inputs[2] : Operand{};
  const Operand y = in.outputs.at(0), mean = in.outputs.at(1), scale = in.outputs.at(2);
  const double eps = in.number("eps");
  const bool centred = in.integer("centred") != 0;
  const int64_t rows = x.dim(0), width = x.dim(1);
  return [=](const Step& step) {
    const float* const w = weight.f32(step);
    const float* const b = biased ? bias.f32(step) : nullptr;
    forRows(step.pool, rows, width, [&](int64_t begin, int64_t end, int64_t) {
      for (int64_t r = begin; r < end; ++r) {
        const float* const from = x.f32(step) + r * width;
        float* const to = y.f32(step) + r * width;
        // About a value of the row, so that squares do not swallow its variance.
        const double origin = centred && width > 0 ? *from : 0;
        double sums[2] = {};
        addSums(width, sums, [=](int64_t i, auto read, auto& sum, auto& squares) {
          const auto apart = read(from + i) - origin;
          sum += apart;
          squares += apart * apart;
        });
        const double apart = centred ? sums[0] / widthOf(width) : 0;
        const double spread = sums[1] / widthOf(width) - apart * apart;
        const double middle = origin + apart;
        const double by = 1 / std::sqrt((spread < 0 ? 0 : spread) + eps);  // NaN stays
        mean.f32(step)[r] = static_cast<float>(middle);
        scale.f32(step)[r] = static_cast<float>(by);
        // The mean in two parts: what its rounding leaves is no part of a row far from 0.
        const float high = static_cast<float>(middle);
        const float low = static_cast<float>(middle - high), times = static_cast<float>(by);
        if (!b) {
          mapRange(to, from, w, width, [=](vf v, vf s) { return ((v - high) - low) * times * s; });
          continue;
        }
        for (int64_t i = 0; i < width; ++i) to[i] = ((from[i] - high) - low) * times * w[i] + b[i];
      }
    });
  };
}

Run op_layerNormGrad(Instruction& in) {
  const Operand x = in.inputs.at(0), weight = in.inputs.at(1);
  const Operand mean = in.inputs.at(2), scale = in.inputs.at(3), dy = in.inputs.at(4);
  const Operand dx = in.outputs.at(0), dweight = in.outputs.at(1), dbias = in.outputs.at(2);
  const bool centred = in.integer("centred") != 0;
  const int64_t rows = x.dim(0), width = x.dim(1);
  // Few tasks, whose sums over rows are as wide as a row.
  constexpr int64_t kMostTasks = 64;
  const int64_t perTask = std::max(rowsPerTask(width), (rows + kMostTasks - 1) / kMostTasks);
  const int64_t tasks = (rows + perTask - 1) / perTask;
  in.scratchBytes = 2 * tasks * width * static_cast<int64_t>(sizeof(double));
  return [=](const Step& step) {
    const float* const w = weight.f32(step);
    double* const partial = reinterpret_cast<double*>(step.scratch);
    step.pool.parallel(tasks, [&](int64_t task, int) {
      double* const along = partial + 2 * task * width;
      double* const total = along + width;
      std::fill_n(along, 2 * width, 0.0);
      for (int64_t r = task * perTask; r < std::min(rows, (task + 1) * perTask); ++r) {
        const float* const from = x.f32(step) + r * width;
        const float* const d = dy.f32(step) + r * width;
        float* const to = dx.f32(step) + r * width;
        const float middle = mean.f32(step)[r], by = scale.f32(step)[r];
        double sums[2] = {};
        addSums(width, sums, [=](int64_t i, auto read, auto& level, auto& slope) {
          const auto g = read(d + i) * read(w + i);
          level += g;
          slope += g * (read(from + i) - static_cast<double>(middle));
        });
        const float level = centred ? static_cast<float>(sums[0] / widthOf(width)) : 0;
        const float slope = static_cast<float>(sums[1] * by / widthOf(width));
        for (int64_t i = 0; i < width; ++i) {
          const float normed = (from[i] - middle) * by;
          along[i] += static_cast<double>(d[i]) * normed;
          total[i] += d[i];
          to[i] = by * (d[i] * w[i] - level - normed * slope);
        }
      }
    });
    forChunks(step.pool, width, [&](int64_t begin, int64_t end, int64_t) {
      for (int64_t i = begin; i < end; ++i) {
        double along = 0, total = 0;
        for (int64_t task = 0; task < tasks; ++task) {
          along += partial[2 * task * width + i];
          total += partial[(2 * task + 1) * width + i];
        }
        dweight.f32(step)[i] = static_cast<float>(along);
        dbias.f32(step)[i] = static_cast<float>(total);
      }
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
