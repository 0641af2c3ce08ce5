// Normalisation of rows by their own mean and variance, or by their mean square, and its gradient
// (src/ops/layer_norm.ts): a warp to a row, and for sums over rows a block to kLanes columns.
#include "cuda/base/block.h"
#include "cuda/base/kernels.h"

namespace flatmin {
namespace cuda {

namespace {

struct Rows {
  int64_t count, width;
  bool centred;

  explicit Rows(const Instruction& in)
      : count(in.inputs.at(0).dim(0)),
        width(in.inputs.at(0).dim(1)),
        centred(in.integer("centred") != 0) {}
  __device__ double mean(double total) const { return total / (width > 0 ? width : 1); }
};

struct NormOut {
  float *y, *mean, *scale;
};

__global__ void layerNorm(Rows rows, double eps, const float* x, const float* weight,
                          const float* bias, NormOut out) {
  for (int64_t row = globalWarp(); row < rows.count; row += globalWarps()) {
    const float* const from = x + row * rows.width;
    double sum = 0;
    if (rows.centred)
      for (int64_t i = laneId(); i < rows.width; i += kLanes) sum += from[i];
    const double middle = rows.mean(warpSum(sum));
    sum = 0;
    for (int64_t i = laneId(); i < rows.width; i += kLanes) {
      const double apart = from[i] - middle;
      sum += apart * apart;
    }
    const double scale = 1 / sqrt(rows.mean(warpSum(sum)) + eps);
    // The mean in two parts: what its rounding leaves is no part of a row far from 0.
    const float high = static_cast<float>(middle), low = static_cast<float>(middle - high);
    const float times = static_cast<float>(scale);
    for (int64_t i = laneId(); i < rows.width; i += kLanes) {
      const float normed = ((from[i] - high) - low) * times * weight[i];
      out.y[row * rows.width + i] = bias ? normed + bias[i] : normed;
    }
    if (laneId() != 0) continue;
    out.mean[row] = high;
    out.scale[row] = times;
  }
}

struct LayerNormGrads {
  const float *x, *weight, *mean, *scale, *dy;
  float *dx, *dweight, *dbias;
};

__global__ void layerNormGradRows(Rows rows, LayerNormGrads g) {
  for (int64_t row = globalWarp(); row < rows.count; row += globalWarps()) {
    const int64_t at = row * rows.width;
    const float middle = g.mean[row], scale = g.scale[row];
    double total = 0, dots = 0;
    for (int64_t i = laneId(); i < rows.width; i += kLanes) {
      const double d = static_cast<double>(g.dy[at + i]) * g.weight[i];
      total += d;
      dots += d * (g.x[at + i] - static_cast<double>(middle));
    }
    total = warpSum(total);
    const float level = rows.centred ? static_cast<float>(rows.mean(total)) : 0.0f;
    const float slope = static_cast<float>(rows.mean(warpSum(dots) * scale));
    for (int64_t i = laneId(); i < rows.width; i += kLanes)
      g.dx[at + i] =
          scale * (g.dy[at + i] * g.weight[i] - level - (g.x[at + i] - middle) * scale * slope);
  }
}

__global__ void layerNormGradColumns(Rows rows, LayerNormGrads g) {
  constexpr int kSlots = kThreads / kLanes;
  SHARED(double, along, [kSlots][kLanes]);
  SHARED(double, totals, [kSlots][kLanes]);
  const int slot = static_cast<int>(threadIdx.x) / kLanes;
  const int64_t blocks = (rows.width + kLanes - 1) / kLanes;
  for (int64_t block = blockIdx.x; block < blocks; block += gridDim.x) {
    const int64_t i = block * kLanes + laneId();
    double dots = 0, total = 0;
    if (i < rows.width)
      for (int64_t row = slot; row < rows.count; row += kSlots) {
        const int64_t at = row * rows.width + i;
        dots += static_cast<double>(g.dy[at]) * ((g.x[at] - g.mean[row]) * g.scale[row]);
        total += g.dy[at];
      }
    along[slot][laneId()] = dots;
    totals[slot][laneId()] = total;
    __syncthreads();
    if (slot == 0 && i < rows.width) {
      for (int s = 1; s < kSlots; ++s) {
        dots += along[s][laneId()];
        total += totals[s][laneId()];
      }
      g.dweight[i] = static_cast<float>(dots);
      g.dbias[i] = static_cast<float>(total);
    }
    __syncthreads();
  }
}

}  // namespace

Run op_layerNorm(Instruction& in) {
  const Operand x = in.inputs.at(0), weight = in.inputs.at(1);
  const bool biased = in.inputs.size() > 2;
  const Operand bias = biased ? in.inputs[2] : Operand{};
  const Operand y = in.outputs.at(0), mean = in.outputs.at(1), scale = in.outputs.at(2);
  const double eps = in.number("eps");
  const Rows rows(in);
  return [=](const Step& step) {
    if (rows.count == 0) return;  // guard
    LAUNCH(layerNorm, blocksForWarps(rows.count), kThreads, 0, step.stream, rows, eps, x.f32(step),
           weight.f32(step), biased ? bias.f32(step) : nullptr,
           NormOut{y.f32(step), mean.f32(step), scale.f32(step)});
  };
}

Run op_layerNormGrad(Instruction& in) {
  const std::vector<Operand> inputs = in.inputs, outputs = in.outputs;
  const Rows rows(in);
  return [=](const Step& step) {
    if (rows.width == 0) return;  // guard
    const LayerNormGrads grads{inputs[0].f32(step),  inputs[1].f32(step), inputs[2].f32(step),
                               inputs[3].f32(step),  inputs[4].f32(step), outputs[0].f32(step),
                               outputs[1].f32(step), outputs[2].f32(step)};
    if (rows.count > 0)
      LAUNCH(layerNormGradRows, blocksForWarps(rows.count), kThreads, 0, step.stream, rows, grads);
    const int64_t blocks = std::min((rows.width + kLanes - 1) / kLanes, kMostBlocks);
    LAUNCH(layerNormGradColumns, static_cast<unsigned>(blocks), kThreads, 0, step.stream, rows,
           grads);
  };
}

}  // namespace cuda
}  // namespace flatmin
