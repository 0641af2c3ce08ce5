// dropout: y = x mask / (1 − p), the mask drawn from (seed, stream, step, element) and kept for the
// gradient, a bit an element. A thread takes eight elements: two Philox blocks, a byte of bits.
#include "cuda/base/kernels.h"
#include "cuda/base/random.h"

namespace flatmin {
namespace cuda {

namespace {

constexpr int64_t kPerThread = 8;

// y = x · scale where a bit is set and x · 0 elsewhere, of up to eight elements from i on.
__device__ void mask(const float* x, float* y, int64_t i, int64_t size, uint32_t bits,
                     float scale) {
  const auto factor = [=](int j) { return bits >> j & 1 ? scale : 0.0f; };
  if (i + kPerThread <= size) {
    for (int j = 0; j < kPerThread; j += 4) {
      const float4 v = load4(x + i + j);
      store4(y + i + j,
             {v.x * factor(j), v.y * factor(j + 1), v.z * factor(j + 2), v.w * factor(j + 3)});
    }
  } else {
    for (int j = 0; i + j < size; ++j) y[i + j] = x[i + j] * factor(j);
  }
}

__global__ void dropout(int64_t size, RandomSlots slots, uint32_t threshold, float scale,
                        const double* row, const float* x, float* y, uint8_t* kept) {
  const formulas::RandomSource source = slots.at(row);
  const auto bit = [=](uint32_t word) { return word >> 8 >= threshold ? 1u : 0u; };
  for (int64_t i = kPerThread * globalThread(); i < size; i += kPerThread * globalThreads()) {
    uint32_t bits = 0;
    for (int half = 0; half < 2; ++half) {
      const uint4 w = randomBlock(source, static_cast<uint64_t>(i / 4 + half));
      bits |= (bit(w.x) | bit(w.y) << 1 | bit(w.z) << 2 | bit(w.w) << 3) << 4 * half;
    }
    if (size - i < kPerThread) bits &= (1u << (size - i)) - 1;
    kept[i / kPerThread] = static_cast<uint8_t>(bits);
    mask(x, y, i, size, bits, scale);
  }
}

__global__ void dropoutGrad(int64_t size, float scale, const float* dy, const uint8_t* kept,
                            float* dx) {
  for (int64_t i = kPerThread * globalThread(); i < size; i += kPerThread * globalThreads())
    mask(dy, dx, i, size, kept[i / kPerThread], scale);
}

}  // namespace

Run op_dropout(Instruction& in) {
  const Operand x = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  const Operand kept = in.outputs.at(1);
  const RandomSlots slots(in);
  const double p = in.number("p");
  const uint32_t threshold = formulas::uniformThreshold(p);
  const float scale = static_cast<float>(1 / (1 - p));
  return [=](const Step& step) {
    if (y.size() == 0) return;  // guard
    LAUNCH(dropout, blocksFor(kept.size()), kThreads, 0, step.stream, y.size(), slots, threshold,
           scale, step.row, x.f32(step), y.f32(step), kept.data<uint8_t>(step));
  };
}

Run op_dropoutGrad(Instruction& in) {
  const Operand dy = in.inputs.at(0);
  const Operand kept = in.inputs.at(1);
  const Operand dx = in.outputs.at(0);
  const float scale = static_cast<float>(1 / (1 - in.number("p")));
  return [=](const Step& step) {
    if (dx.size() == 0) return;  // guard
    LAUNCH(dropoutGrad, blocksFor(kept.size()), kThreads, 0, step.stream, dx.size(), scale,
           dy.f32(step), kept.data<uint8_t>(step), dx.f32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
