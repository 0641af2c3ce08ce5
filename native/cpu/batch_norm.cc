// Batch normalisation of [n, channels, …] by the batch's statistics, its gradient, and the running
// statistics (Ioffe & Szegedy 2015; src/ops/batch_norm.ts). Sums over a channel are added in
// double, those of a task's examples first, then the tasks' in order.
#include <cmath>

#include "kernels.h"
#include "rows.h"
#include "status.h"

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

constexpr int64_t kSumLanes = 16;

// Σ f(i) over [0, n) in a fixed order that vectors can follow.
template <class F>
double sumOf(int64_t n, F f) {
  double lanes[kSumLanes] = {};
  int64_t i = 0;
  for (; i + kSumLanes <= n; i += kSumLanes)
    for (int64_t l = 0; l < kSumLanes; ++l) lanes[l] += f(i + l);
  for (int64_t l = 0; i + l < n; ++l) lanes[l] += f(i + l);
  double total = 0;
  for (double lane : lanes) total += lane;
  return total;
}

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

// totals[c] = Σ f(c, element) over a channel; partial: tasks × channels.
template <class F>
void channelSums(const Layout& layout, const Step& step, double* partial, double* totals, F f) {
  std::fill_n(partial, layout.tasks() * layout.channels, 0.0);
  forPlanes(layout, step, [&](int64_t c, int64_t at, int64_t task) {
    partial[task * layout.channels + c] +=
        sumOf(layout.plane, [&](int64_t i) { return f(c, at + i); });
  });
  std::fill_n(totals, layout.channels, 0.0);
  for (int64_t task = 0; task < layout.tasks(); ++task)
    for (int64_t c = 0; c < layout.channels; ++c) totals[c] += partial[task * layout.channels + c];
}

// Doubles of scratch: `lists` of a number for each channel, and the tasks' sums.
int64_t scratchBytes(const Layout& layout, int64_t lists) {
  return (layout.tasks() + lists) * layout.channels * static_cast<int64_t>(sizeof(double));
}

}  // namespace

Run op_batchNorm(Instruction& in) {
  const Operand x = in.inputs.at(0), weight = in.inputs.at(1), bias = in.inputs.at(2);
  const Operand y = in.outputs.at(0), mean = in.outputs.at(1), variance = in.outputs.at(2);
  const double eps = in.number("eps");
  const Layout layout(x);
  in.scratchBytes = scratchBytes(layout, 2);
  return [=](const Step& step) {
    const float* const from = x.f32(step);
    float* const to = y.f32(step);
    double* const means = reinterpret_cast<double*>(step.scratch);
    double* const variances = means + layout.channels;
    double* const partial = variances + layout.channels;
    channelSums(layout, step, partial, means, [=](int64_t, int64_t i) { return from[i]; });
    for (int64_t c = 0; c < layout.channels; ++c) means[c] /= layout.count();
    channelSums(layout, step, partial, variances, [=](int64_t c, int64_t i) {
      const double centred = from[i] - means[c];
      return centred * centred;
    });
    for (int64_t c = 0; c < layout.channels; ++c) {
      variances[c] /= layout.count();
      mean.f32(step)[c] = static_cast<float>(means[c]);
      variance.f32(step)[c] = static_cast<float>(variances[c]);
    }
    forPlanes(layout, step, [&](int64_t c, int64_t at, int64_t) {
      const double scale = weight.f32(step)[c] / std::sqrt(variances[c] + eps);
      const double shift = bias.f32(step)[c], middle = means[c];
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
  in.scratchBytes = scratchBytes(layout, 3);
  return [=](const Step& step) {
    const float* const from = x.f32(step);
    const float* const grad = dy.f32(step);
    float* const to = dx.f32(step);
    double* const scales = reinterpret_cast<double*>(step.scratch);
    double* const along = scales + layout.channels;
    double* const total = along + layout.channels;
    double* const partial = total + layout.channels;
    const float* const means = mean.f32(step);
    for (int64_t c = 0; c < layout.channels; ++c)
      scales[c] = 1 / std::sqrt(variance.f32(step)[c] + eps);
    channelSums(layout, step, partial, total, [=](int64_t, int64_t i) { return grad[i]; });
    channelSums(layout, step, partial, along, [=](int64_t c, int64_t i) {
      return grad[i] * ((static_cast<double>(from[i]) - means[c]) * scales[c]);
    });
    for (int64_t c = 0; c < layout.channels; ++c) {
      dweight.f32(step)[c] = static_cast<float>(along[c]);
      dbias.f32(step)[c] = static_cast<float>(total[c]);
    }
    forPlanes(layout, step, [&](int64_t c, int64_t at, int64_t) {
      const double scale = scales[c], middle = means[c], factor = weight.f32(step)[c] * scale;
      const double level = total[c] / layout.count(), slope = along[c] / layout.count() * scale;
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
