// sampleNormal: draws from N(mean, I) by (seed, stream, step, element); a thread draws one Philox
// block, the normals of four elements.
#include "cuda/base/kernels.h"
#include "cuda/base/random.h"
#include "cuda/base/scalar.h"

namespace flatmin {
namespace cuda {

namespace {

__global__ void sampleNormal(int64_t size, RandomSlots slots, const double* row, const float* mean,
                             float* y) {
  const formulas::RandomSource source = slots.at(row);
  for (int64_t i = 4 * globalThread(); i < size; i += 4 * globalThreads()) {
    const uint4 w = randomBlock(source, static_cast<uint64_t>(i / 4));
    float z[4];
    formulas::toNormals<float, uint32_t>(w.x, w.y, z[0], z[1], SqrtOf{});
    formulas::toNormals<float, uint32_t>(w.z, w.w, z[2], z[3], SqrtOf{});
    for (int64_t l = 0; l < 4 && i + l < size; ++l) y[i + l] = mean[i + l] + z[l];
  }
}

}  // namespace

Run op_sampleNormal(Instruction& in) {
  const Operand mean = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  const RandomSlots slots(in);
  return [=](const Step& step) {
    if (y.size() == 0) return;  // guard
    LAUNCH(sampleNormal, blocksFor((y.size() + 3) / 4), kThreads, 0, step.stream, y.size(), slots,
           step.row, mean.f32(step), y.f32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
