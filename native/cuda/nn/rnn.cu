// rnn, rnnGrad and rnnTangent (src/ops/rnn.ts). Forward and tangent give a warp to a unit of a row,
// which reads a row of W; the gradient a thread, which reads a column.
#include "cuda/base/kernels.h"
#include "cuda/nn/recurrence.h"

namespace flatmin {
namespace cuda {

namespace {

// φ′ by h = φ(z).
__device__ inline float slopeOf(float h, bool relu) {
  return relu ? (h > 0 ? 1.0f : 0.0f) : 1 - h * h;
}

// y ← φ(z + W y before), or of the tangent φ′(z + W y before) with φ′ by `h`, null for the former.
__global__ void rnnStep(Sequences s, int64_t t, int64_t hidden, bool relu, const float* weight,
                        const float* z, const float* h, float* y) {
  for (int64_t w = globalWarp(); w < s.batch * hidden; w += globalWarps()) {
    const int64_t row = w / hidden, j = w % hidden, at = s.at(row, t);
    float value = 0;
    if (!s.ended(row, t)) {
      const float* const before = t > 0 ? y + s.at(row, t - 1) * hidden : nullptr;
      const float sum = z[at * hidden + j] + rowTimes(weight + j * hidden, before, hidden);
      if (h)
        value = sum * slopeOf(h[at * hidden + j], relu);
      else
        value = relu ? (sum > 0 ? sum : 0.0f) : tanhOf(sum);
    }
    __syncwarp();  // y may stand where z does
    if (laneId() == 0) y[at * hidden + j] = value;
  }
}

// The ops whose steps those are; h is input `hAt`, or none is.
Run recurrent(Instruction& in, size_t weightAt, size_t hAt) {
  const Operand z = in.inputs.at(0), weight = in.inputs.at(weightAt), y = in.outputs.at(0);
  const bool relu = in.integer("relu") != 0;
  const Instruction given = in;
  return [=](const Step& step) {
    if (y.size() == 0) return;  // guard
    const Sequences s(z, given, weightAt + 1, step);
    const int64_t hidden = y.dim(2);
    const float* const h = hAt > 0 ? given.inputs[hAt].f32(step) : nullptr;
    for (int64_t t = 0; t < s.steps; ++t)
      LAUNCH(rnnStep, blocksForWarps(s.batch * hidden), kThreads, 0, step.stream, s, t, hidden,
             relu, weight.f32(step), z.f32(step), h, y.f32(step));
  };
}

}  // namespace

Run op_rnn(Instruction& in) { return recurrent(in, 1, 0); }

Run op_rnnTangent(Instruction& in) { return recurrent(in, 2, 1); }

namespace {

__global__ void rnnGradStep(Sequences s, int64_t t, int64_t hidden, bool relu, const float* weight,
                            const float* dh, const float* h, float* dz) {
  for (int64_t w = globalThread(); w < s.batch * hidden; w += globalThreads()) {
    const int64_t row = w / hidden, j = w % hidden, at = s.at(row, t);
    float value = 0;
    if (!s.ended(row, t)) {
      float d = dh[at * hidden + j];
      if (t + 1 < s.steps)
        d += columnTimes(weight, hidden, hidden, j, dz + s.at(row, t + 1) * hidden);
      value = d * slopeOf(h[at * hidden + j], relu);
    }
    dz[at * hidden + j] = value;
  }
}

}  // namespace

Run op_rnnGrad(Instruction& in) {
  const Operand dh = in.inputs.at(0), h = in.inputs.at(1), weight = in.inputs.at(2);
  const Operand dz = in.outputs.at(0);
  const bool relu = in.integer("relu") != 0;
  const Instruction given = in;
  return [=](const Step& step) {
    if (dz.size() == 0) return;  // guard
    const Sequences s(h, given, 3, step);
    const int64_t hidden = dz.dim(2);
    for (int64_t t = s.steps - 1; t >= 0; --t)
      LAUNCH(rnnGradStep, blocksFor(s.batch * hidden), kThreads, 0, step.stream, s, t, hidden, relu,
             weight.f32(step), dh.f32(step), h.f32(step), dz.f32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
