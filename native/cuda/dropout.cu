// dropout: y = x mask / (1 − p), the mask drawn anew from (seed, stream, step, element) in every
// pass; a thread draws one Philox block, the masks of four elements.
#include "cuda/kernels.h"
#include "cuda/random.h"

namespace flatmin {
namespace cuda {

__global__ void dropout(int64_t size, RandomSlots slots, uint32_t threshold, float scale,
                        const double* row, const float* x, float* y) {
  const formulas::RandomSource source = slots.at(row);
  const auto mask = [=](uint32_t word) { return word >> 8 >= threshold ? scale : 0.0f; };
  for (int64_t i = 4 * globalThread(); i < size; i += 4 * globalThreads()) {
    const uint4 w = randomBlock(source, static_cast<uint64_t>(i / 4));
    if (i + 4 <= size) {
      const float4 v = load4(x + i);
      store4(y + i, {v.x * mask(w.x), v.y * mask(w.y), v.z * mask(w.z), v.w * mask(w.w)});
    } else {
      y[i] = x[i] * mask(w.x);
      if (i + 1 < size) y[i + 1] = x[i + 1] * mask(w.y);
      if (i + 2 < size) y[i + 2] = x[i + 2] * mask(w.z);
    }
  }
}

Run op_dropout(Instruction& in) {
  const Operand x = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  const RandomSlots slots(in);
  const double p = in.number("p");
  const uint32_t threshold = formulas::uniformThreshold(p);
  const float scale = static_cast<float>(1 / (1 - p));
  return [=](const Step& step) {
    if (y.size() == 0) return;  // guard
    LAUNCH(dropout, blocksFor((y.size() + 3) / 4), kThreads, 0, step.stream, y.size(), slots,
           threshold, scale, step.row, x.f32(step), y.f32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
