// Batch normalisation of [n, channels, …] by the batch's statistics, its gradient, and the running
// statistics (Ioffe & Szegedy 2015; src/ops/batch_norm.ts). Sums over a channel are added in
// double, those of a task's examples first, then the tasks' in order.
#include <cmath>

#include "cpu/base/kernels.h"
#include "cpu/base/rows.h"
#include "cpu/base/status.h"
#include "cpu/base/sums.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

struct Layout {
  int64_t examples, channels, plane;

  explicit Layout(const Operand& x)
      : examples(x.dim(0)),
        channels(x.dim(1)),
        plane(examples * channels == 0 ? 0 : x.size() / (examples * channels)) {}

  int64_t width() const { return channels * plane; }
  int64_t tasks() const { return rowTasks(examples, width()); }
  // Values of a channel; 1 of none, so that means of nothing are 0.
  double count() const { return static_cast<double>(std::max<int64_t>(1, examples * plane)); }
};

// body(channel, first element) for every plane of a task's examples.
template <class Body>
void forPlanes(const Layout& layout, const Step& step, Body body) {
  forRows(step.pool, layout.examples, layout.width(),
          [&](int64_t begin, int64_t end, int64_t task) {
            for (int64_t n = begin; n < end; ++n)
              for (int64_t c = 0; c < layout.channels; ++c)
                body(c, (n * layout.channels + c) * layout.plane, task);
          });
}

// totals[2 c] and the next: what f(c, i, read, first, second) adds over a channel's elements i;
// partial: tasks × channels × 2.
template <class F>
void channelSums(const Layout& layout, const Step& step, double* partial, double* totals, F f) {
  const int64_t count = 2 * layout.channels;
  std::fill_n(partial, layout.tasks() * count, 0.0);
  forPlanes(layout, step, [&](int64_t c, int64_t at, int64_t task) {
    addSums(layout.plane, partial + task * count + 2 * c,
            [&](int64_t i, auto read, auto& first, auto& second) {
              f(c, at + i, read, first, second);
            });
  });
  std::fill_n(totals, count, 0.0);
  for (int64_t task = 0; task < layout.tasks(); ++task)
    for (int64_t j = 0; j < count; ++j) totals[j] += partial[task * count + j];
}

// Doubles of scratch: two numbers for each channel, and the tasks' sums.
int64_t scratchBytes(const Layout& layout) {
  return 2 * (layout.tasks() + 1) * layout.channels * static_cast<int64_t>(sizeof(double));
}

}  // namespace

Run op_batchNorm(Instruction& in) {
  const Operand x = in.inputs.at(0), weight = in.inputs.at(1), bias = in.inputs.at(2);
  const Operand y = in.outputs.at(0), mean = in.outputs.at(1), variance = in.outputs.at(2);
  const double eps = in.number("eps");
  const Layout layout(x);
  in.scratchBytes = scratchBytes(layout);
  return [=](const Step& step) {
    const float* const from = x.f32(step);
    float* const to = y.f32(step);
    double* const totals = reinterpret_cast<double*>(step.scratch);
    // About a value of the channel, so that squares do not swallow its variance.
    const auto origin = [=](int64_t c) {
      return layout.plane == 0 ? 0.0 : static_cast<double>(from[c * layout.plane]);
    };
    channelSums(layout, step, totals + 2 * layout.channels, totals,
                [=](int64_t c, int64_t i, auto read, auto& sum, auto& squares) {
                  const auto apart = read(from + i) - origin(c);
                  sum += apart;
                  squares += apart * apart;
                });
    for (int64_t c = 0; c < layout.channels; ++c) {
      const double apart = totals[2 * c] / layout.count();
      const double spread = totals[2 * c + 1] / layout.count() - apart * apart;
      totals[2 * c] = origin(c) + apart;
      totals[2 * c + 1] = spread < 0 ? 0 : spread;  // NaN stays
      mean.f32(step)[c] = static_cast<float>(totals[2 * c]);
      variance.f32(step)[c] = static_cast<float>(totals[2 * c + 1]);
    }
    forPlanes(layout, step, [&](int64_t c, int64_t at, int64_t) {
      const double middle = totals[2 * c];
      const double scale = weight.f32(step)[c] / std::sqrt(totals[2 * c + 1] + eps);
      const double shift = bias.f32(step)[c];
      for (int64_t i = at; i < at + layout.plane; ++i)
        to[i] = static_cast<float>((from[i] - middle) * scale + shift);
    });
  };
}

Run op_batchNormGrad(Instruction& in) {
  const Operand x = in.inputs.at(0), weight = in.inputs.at(1);
  const Operand mean = in.inputs.at(2), variance = in.inputs.at(3), dy = in.inputs.at(4);
  const Operand dx = in.outputs.at(0), dweight = in.outputs.at(1), dbias = in.outputs.at(2);
  const double eps = in.number("eps");
  const Layout layout(x);
  in.scratchBytes = scratchBytes(layout);
  return [=](const Step& step) {
    const float* const from = x.f32(step);
    const float* const grad = dy.f32(step);
    const float* const means = mean.f32(step);
    float* const to = dx.f32(step);
    double* const totals = reinterpret_cast<double*>(step.scratch);
    channelSums(layout, step, totals + 2 * layout.channels, totals,
                [=](int64_t c, int64_t i, auto read, auto& sum, auto& along) {
                  const auto g = read(grad + i);
                  sum += g;
                  along += g * (read(from + i) - static_cast<double>(means[c]));
                });
    const auto scaleOf = [=](int64_t c) { return 1 / std::sqrt(variance.f32(step)[c] + eps); };
    for (int64_t c = 0; c < layout.channels; ++c) {
      dbias.f32(step)[c] = static_cast<float>(totals[2 * c]);
      dweight.f32(step)[c] = static_cast<float>(totals[2 * c + 1] * scaleOf(c));
    }
    forPlanes(layout, step, [&](int64_t c, int64_t at, int64_t) {
      const double scale = scaleOf(c), middle = means[c], factor = weight.f32(step)[c] * scale;
      const double level = totals[2 * c] / layout.count();
      const double slope = totals[2 * c + 1] / layout.count() * scale * scale;
      for (int64_t i = at; i < at + layout.plane; ++i)
        to[i] = static_cast<float>(factor * (grad[i] - level - (from[i] - middle) * slope));
    });
  };
}

Run op_trackStatistics(Instruction& in) {
  const Operand status = in.inputs.at(0);
  const Operand runningMean = in.inputs.at(1), runningVar = in.inputs.at(2);
  const Operand mean = in.inputs.at(3), variance = in.inputs.at(4);
  const double momentum = in.number("momentum"), count = in.number("count");
  return [=](const Step& step) {
    if (standsStill(status.i32(step)) || count == 0) return;
    const auto blend = [&](const Operand& running, const Operand& fresh, double scale) {
      float* const to = running.f32(step);
      for (int64_t c = 0; c < running.size(); ++c)
        to[c] = static_cast<float>((1 - momentum) * to[c] + momentum * scale * fresh.f32(step)[c]);
    };
    blend(runningMean, mean, 1);
    if (count > 1) blend(runningVar, variance, count / (count - 1));
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
