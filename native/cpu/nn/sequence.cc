// What sequences need beside their layers: lengths of padded rows, weights of rows that count, the
// step before and the last one (src/ops/sequence.ts).
#include <algorithm>
#include <cstring>

#include "cpu/base/kernels.h"
#include "cpu/base/rows.h"

namespace flatmin {
namespace FLATMIN_ISA {

Run op_lengths(Instruction& in) {
  const Operand tokens = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  const int64_t rows = tokens.dim(0), steps = tokens.dim(1);
  return [=](const Step& step) {
    for (int64_t r = 0; r < rows; ++r) {
      const int32_t* const row = tokens.i32(step) + r * steps;
      int64_t length = steps;
      while (length > 0 && row[length - 1] == -1) --length;
      y.i32(step)[r] = static_cast<int32_t>(length);
    }
  };
}

Run op_rowWeights(Instruction& in) {
  const Operand labels = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  const int64_t rows = y.size();
  return [=](const Step& step) {
    for (int64_t r = 0; r < rows; ++r) y.f32(step)[r] = labels.i32(step)[r] == -1 ? 0.0f : 1.0f;
  };
}

Run op_previousSteps(Instruction& in) {
  const Operand x = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  const int64_t steps = x.dim(1), width = x.dim(2);
  const int64_t rows = x.dim(0) * steps;
  const size_t bytes = static_cast<size_t>(width) * sizeof(float);
  const bool reverse = in.integer("reverse") != 0;
  const int64_t first = reverse ? steps - 1 : 0, before = reverse ? 1 : -1;
  return [=](const Step& step) {
    forRows(step.pool, rows, width, [&](int64_t begin, int64_t end, int64_t) {
      for (int64_t r = begin; r < end; ++r) {
        float* const to = y.f32(step) + r * width;
        if (r % steps == first)
          std::memset(to, 0, bytes);
        else
          std::memcpy(to, x.f32(step) + (r + before) * width, bytes);
      }
    });
  };
}

Run op_lastRows(Instruction& in) {
  const bool hasLengths = !in.inputs.empty();
  const Operand lengths = hasLengths ? in.inputs[0] : Operand{};
  const Operand y = in.outputs.at(0);
  const int64_t steps = in.integer("steps");
  const bool reverse = in.integer("reverse") != 0;
  return [=](const Step& step) {
    for (int64_t r = 0; r < y.size(); ++r) {
      const int64_t length =
          hasLengths ? std::min<int64_t>(steps, lengths.i32(step)[r]) : steps;
      const int64_t last = reverse ? 0 : std::max<int64_t>(0, length - 1);
      y.i32(step)[r] = static_cast<int32_t>(r * steps + last);
    }
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
