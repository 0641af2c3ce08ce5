// Batch normalisation of [n, channels, …] by the batch's statistics, its gradient, and the running
// statistics (Ioffe & Szegedy 2015; src/ops/batch_norm.ts). A block to a channel.
#include "cuda/base/block.h"
#include "cuda/base/kernels.h"
#include "cuda/base/status.h"

namespace flatmin {
namespace cuda {

namespace {

struct ImageLayout {
  int64_t channels, plane, count;  // of values a channel

  explicit ImageLayout(const Operand& x)
      : channels(x.dim(1)),
        plane(x.size() == 0 ? 0 : x.size() / (x.dim(0) * x.dim(1))),
        count(x.dim(0) * plane) {}

  // Where value k of a channel stands.
  __device__ int64_t at(int64_t channel, int64_t k) const {
    return (k / plane * channels + channel) * plane + k % plane;
  }
  __device__ double mean(double total) const { return total / (count > 0 ? count : 1); }
  unsigned blocks() const { return static_cast<unsigned>(std::min(channels, kMostBlocks)); }
};

__global__ void batchNorm(ImageLayout layout, double eps, const float* x, const float* weight,
                          const float* bias, float* y, float* mean, float* variance) {
  for (int64_t c = blockIdx.x; c < layout.channels; c += gridDim.x) {
    double sum = 0;
    for (int64_t k = threadIdx.x; k < layout.count; k += kThreads) sum += x[layout.at(c, k)];
    const double middle = layout.mean(blockSum(sum));
    sum = 0;
    for (int64_t k = threadIdx.x; k < layout.count; k += kThreads) {
      const double centred = x[layout.at(c, k)] - middle;
      sum += centred * centred;
    }
    const double spread = layout.mean(blockSum(sum));
    const double scale = weight[c] / sqrt(spread + eps), shift = bias[c];
    for (int64_t k = threadIdx.x; k < layout.count; k += kThreads) {
      const int64_t i = layout.at(c, k);
      y[i] = static_cast<float>((x[i] - middle) * scale + shift);
    }
    if (threadIdx.x != 0) continue;
    mean[c] = static_cast<float>(middle);
    variance[c] = static_cast<float>(spread);
  }
}

}  // namespace

Run op_batchNorm(Instruction& in) {
  const Operand x = in.inputs.at(0), weight = in.inputs.at(1), bias = in.inputs.at(2);
  const Operand y = in.outputs.at(0), mean = in.outputs.at(1), variance = in.outputs.at(2);
  const double eps = in.number("eps");
  const ImageLayout layout(x);
  return [=](const Step& step) {
    if (layout.channels == 0) return;  // guard
    LAUNCH(batchNorm, layout.blocks(), kThreads, 0, step.stream, layout, eps, x.f32(step),
           weight.f32(step), bias.f32(step), y.f32(step), mean.f32(step), variance.f32(step));
  };
}

namespace {

struct NormGrads {
  const float *x, *weight, *mean, *variance, *dy;
  float *dx, *dweight, *dbias;
};

__global__ void batchNormGrad(ImageLayout layout, double eps, NormGrads g) {
  for (int64_t c = blockIdx.x; c < layout.channels; c += gridDim.x) {
    const double middle = g.mean[c], scale = 1 / sqrt(g.variance[c] + eps);
    double dots = 0, sum = 0;
    for (int64_t k = threadIdx.x; k < layout.count; k += kThreads) {
      const int64_t i = layout.at(c, k);
      dots += g.dy[i] * ((g.x[i] - middle) * scale);
      sum += g.dy[i];
    }
    const double along = blockSum(dots), total = blockSum(sum);
    const double level = layout.mean(total), slope = layout.mean(along) * scale;
    for (int64_t k = threadIdx.x; k < layout.count; k += kThreads) {
      const int64_t i = layout.at(c, k);
      g.dx[i] =
          static_cast<float>(g.weight[c] * scale * (g.dy[i] - level - (g.x[i] - middle) * slope));
    }
    if (threadIdx.x != 0) continue;
    g.dweight[c] = static_cast<float>(along);
    g.dbias[c] = static_cast<float>(total);
  }
}

}  // namespace

Run op_batchNormGrad(Instruction& in) {
  const std::vector<Operand> inputs = in.inputs, outputs = in.outputs;
  const double eps = in.number("eps");
  const ImageLayout layout(inputs.at(0));
  return [=](const Step& step) {
    if (layout.channels == 0) return;  // guard
    const NormGrads grads{inputs[0].f32(step),  inputs[1].f32(step), inputs[2].f32(step),
                          inputs[3].f32(step),  inputs[4].f32(step), outputs[0].f32(step),
                          outputs[1].f32(step), outputs[2].f32(step)};
    LAUNCH(batchNormGrad, layout.blocks(), kThreads, 0, step.stream, layout, eps, grads);
  };
}

namespace {

struct Running {
  double momentum, count;

  __device__ float blend(float running, float fresh, double scale) const {
    return static_cast<float>((1 - momentum) * running + momentum * scale * fresh);
  }
};

__global__ void trackStatistics(int64_t channels, Running running, const int32_t* status,
                                float* runningMean, float* runningVar, const float* mean,
                                const float* variance) {
  if (standsStill(status)) return;
  for (int64_t c = globalThread(); c < channels; c += globalThreads()) {
    runningMean[c] = running.blend(runningMean[c], mean[c], 1);
    if (running.count > 1)
      runningVar[c] =
          running.blend(runningVar[c], variance[c], running.count / (running.count - 1));
  }
}

}  // namespace

Run op_trackStatistics(Instruction& in) {
  const std::vector<Operand> inputs = in.inputs;
  const Running running{in.number("momentum"), in.number("count")};
  const int64_t channels = inputs.at(1).size();
  return [=](const Step& step) {
    if (channels == 0 || running.count == 0) return;  // guard
    LAUNCH(trackStatistics, blocksFor(channels), kThreads, 0, step.stream, channels, running,
           inputs[0].i32(step), inputs[1].f32(step), inputs[2].f32(step), inputs[3].f32(step),
           inputs[4].f32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
