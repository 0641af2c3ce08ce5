// takeAlongAxis: elements of x [outer, length, inner] by indices [outer, count, inner] along the
// middle; 0 for an index outside.
#include "cpu/base/chunks.h"
#include "cpu/base/kernels.h"

namespace flatmin {
namespace FLATMIN_ISA {

Run op_takeAlongAxis(Instruction& in) {
  const Operand x = in.inputs.at(0);
  const Operand index = in.inputs.at(1);
  const Operand y = in.outputs.at(0);
  const int64_t length = in.integer("length");
  const int64_t count = in.integer("count");
  const int64_t inner = in.integer("inner");
  return [=](const Step& step) {
    const float* const from = x.f32(step);
    const int32_t* const taken = index.i32(step);
    forChunks(step.pool, y.size(), [&](int64_t begin, int64_t end, int64_t) {
      for (int64_t at = begin; at < end; ++at) {
        const int64_t k = taken[at];
        const int64_t outer = at / (count * inner);
        const bool inside = k >= 0 && k < length;
        y.f32(step)[at] = inside ? from[(outer * length + k) * inner + at % inner] : 0.0f;
      }
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
