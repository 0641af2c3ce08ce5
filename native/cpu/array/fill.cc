// fill: a tensor of equal elements.
#include <algorithm>

#include "cpu/base/chunks.h"
#include "cpu/base/kernels.h"

namespace flatmin {
namespace FLATMIN_ISA {

Run op_fill(Instruction& in) {
  const Operand y = in.outputs.at(0);
  const float value = static_cast<float>(in.number("value"));
  return [=](const Step& step) {
    forChunks(step.pool, y.size(), [&](int64_t begin, int64_t end, int64_t) {
      std::fill(y.f32(step) + begin, y.f32(step) + end, value);
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
