// How tensors begin: drawUniform, numbers by (seed, stream, step, element), a thread a Philox
// block; setDiagonal, a thread an element of a diagonal.
#include "cuda/base/kernels.h"
#include "cuda/base/random.h"
#include "formulas/packed.h"

namespace flatmin {
namespace cuda {

namespace {

__global__ void drawUniform(int64_t size, RandomSlots slots, const double* row, double bound,
                            float* x) {
  const formulas::RandomSource source = slots.at(row);
  for (int64_t i = 4 * globalThread(); i < size; i += 4 * globalThreads()) {
    const uint4 w = randomBlock(source, static_cast<uint64_t>(i / 4));
    const uint32_t words[] = {w.x, w.y, w.z, w.w};
    // 2u - 1 is exact; the product is rounded once, as in JavaScript.
    for (int64_t l = 0; l < 4 && i + l < size; ++l)
      x[i + l] = static_cast<float>((static_cast<double>(words[l] >> 8) * 0x1p-23 - 1) * bound);
  }
}

}  // namespace

Run op_drawUniform(Instruction& in) {
  const Operand x = in.inputs.at(0);
  const RandomSlots slots(in);
  const double bound = in.number("bound");
  return [=](const Step& step) {
    if (x.size() == 0) return;  // guard
    LAUNCH(drawUniform, blocksFor((x.size() + 3) / 4), kThreads, 0, step.stream, x.size(), slots,
           step.row, bound, x.f32(step));
  };
}

namespace {

__global__ void setDiagonal(int64_t size, int64_t n, int64_t elements, bool packed, float value,
                            float* x) {
  for (int64_t i = globalThread(); i < size; i += globalThreads()) {
    const int64_t k = i % n;
    x[i / n * elements + (packed ? k * (k + 3) / 2 : k * (n + 1))] = value;
  }
}

}  // namespace

Run op_setDiagonal(Instruction& in) {
  const Operand x = in.inputs.at(0);
  const float value = static_cast<float>(in.number("value"));
  const bool packed = in.integer("packed") != 0;
  const int64_t n = in.integer("n");
  const int64_t elements = packed ? formulas::packedSize(n) : n * n;
  return [=](const Step& step) {
    if (x.size() == 0) return;  // guard
    const int64_t size = x.size() / elements * n;
    LAUNCH(setDiagonal, blocksFor(size), kThreads, 0, step.stream, size, n, elements, packed, value,
           x.f32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
