// sgdRows: SGD without momentum by the rows of a gradient that are not 0, each once. The others only
// decay, and without decay stand (src/ops/table_rows.ts).
#include "cpu/base/kernels.h"
#include "cpu/base/rows.h"
#include "cpu/base/status.h"
#include "formulas/updates.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

// to ← from after a step by g, of n numbers; of zeros without g.
void stepTo(float* to, const float* from, const float* g, int64_t n,
            const formulas::SgdScalars& s) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    vf p = load(from + i);
    formulas::sgd(p, g ? load(g + i) : vf{}, s);
    store(to + i, p);
  }
  if (i == n) return;
  vf p = loadTail(from + i, n - i);
  formulas::sgd(p, g ? loadTail(g + i, n - i) : vf{}, s);
  storeTail(to + i, p, n - i);
}

}  // namespace

Run op_sgdRows(Instruction& in) {
  const Operand status = in.inputs.at(0), table = in.inputs.at(1);
  const Operand sums = in.inputs.at(2), places = in.inputs.at(3);
  const int64_t rows = table.dim(0), count = sums.dim(0), width = table.dim(1);
  const int64_t lrSlot = in.integer("lrSlot");
  const double weightDecay = in.number("weightDecay");
  const bool decoupled = in.integer("decoupled") != 0;
  in.scratchBytes = count * width * static_cast<int64_t>(sizeof(float));
  return [=](const Step& step) {
    if (standsStill(status.i32(step))) return;
    formulas::SgdScalars s{};
    s.lr = static_cast<float>(step.row[lrSlot]);
    s.coupled = decoupled ? 0.0f : static_cast<float>(weightDecay);
    s.shrink = decoupled ? static_cast<float>(step.row[lrSlot] * weightDecay) : 0.0f;
    float* const p = table.f32(step);
    float* const moved = reinterpret_cast<float*>(step.scratch);
    // body(row of the gradient, row of the table) for those that the table has.
    const auto forPlaces = [&](auto body) {
      forRows(step.pool, count, width, [&](int64_t begin, int64_t end, int64_t) {
        for (int64_t r = begin; r < end; ++r) {
          const int64_t at = places.i32(step)[r];
          if (at >= 0 && at < rows) body(r * width, at * width);
        }
      });
    };
    forPlaces([&](int64_t r, int64_t at) {
      stepTo(moved + r, p + at, sums.f32(step) + r, width, s);
    });
    if (weightDecay != 0)
      forChunks(step.pool, rows * width, [&](int64_t begin, int64_t end, int64_t) {
        stepTo(p + begin, p + begin, nullptr, end - begin, s);
      });
    forPlaces([&](int64_t r, int64_t at) { std::copy_n(moved + r, width, p + at); });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
