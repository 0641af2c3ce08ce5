// sumRows: the rows of dy that have an index in common are added to the first of them, in order, and
// the others are 0 (src/ops/table_rows.ts).
#include "cpu/base/kernels.h"
#include "cpu/base/rows.h"

namespace flatmin {
namespace FLATMIN_ISA {

Run op_sumRows(Instruction& in) {
  const Operand dy = in.inputs.at(0), indices = in.inputs.at(1);
  const Operand sums = in.outputs.at(0), places = in.outputs.at(1);
  const int64_t rows = in.inputs.at(2).dim(0), count = sums.dim(0), width = sums.dim(1);
  // Of every row of the table the first that has it, and of every row of dy that one, or none.
  in.scratchBytes = (rows + count) * static_cast<int64_t>(sizeof(int32_t));
  constexpr int32_t kNone = -1;
  return [=](const Step& step) {
    int32_t* const firstOf = reinterpret_cast<int32_t*>(step.scratch);
    int32_t* const owners = firstOf + rows;
    int32_t* const at = places.i32(step);
    std::fill_n(firstOf, rows, kNone);
    for (int64_t r = 0; r < count; ++r) {
      const int32_t index = indices.i32(step)[r];
      at[r] = kNone;
      owners[r] = kNone;
      if (index < 0 || index >= rows) continue;
      if (firstOf[index] == kNone) {
        firstOf[index] = static_cast<int32_t>(r);
        at[r] = index;
      }
      owners[r] = firstOf[index];
    }
    // A task owns some rows of the sums, and reads all owners.
    forRows(step.pool, count, width, [&](int64_t begin, int64_t end, int64_t) {
      float* const to = sums.f32(step);
      std::fill(to + begin * width, to + end * width, 0.0f);
      for (int64_t r = begin; r < count; ++r) {
        if (owners[r] < begin || owners[r] >= end) continue;
        const float* const row = dy.f32(step) + r * width;
        for (int64_t j = 0; j < width; ++j) to[owners[r] * width + j] += row[j];
      }
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
