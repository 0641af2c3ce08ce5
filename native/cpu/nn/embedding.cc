// Rows of a table by token: zeros for token −1, NaN for any other outside the table. The gradient
// is scatterAdd of gather.cc.
#include <cstring>

#include "cpu/base/kernels.h"
#include "cpu/base/rows.h"

namespace flatmin {
namespace FLATMIN_ISA {

Run op_embedding(Instruction& in) {
  const Operand table = in.inputs.at(0);
  const Operand tokens = in.inputs.at(1);
  const Operand y = in.outputs.at(0);
  const int64_t count = table.dim(0), width = table.dim(1);
  return [=](const Step& step) {
    forRows(step.pool, tokens.size(), width, [&](int64_t begin, int64_t end, int64_t) {
      for (int64_t r = begin; r < end; ++r) {
        const int64_t token = tokens.i32(step)[r];
        float* const row = y.f32(step) + r * width;
        if (token >= 0 && token < count)
          std::memcpy(row, table.f32(step) + token * width,
                      static_cast<size_t>(width) * sizeof(float));
        else
          std::fill_n(row, width, token == -1 ? 0.0f : __builtin_nanf(""));
      }
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
