// Lion-K (arXiv 2310.05898) with K = ‖·‖ₚ of each tensor: ∇K(c) = sign(c)│c│^(p−1) / ‖c‖ₚ^(p−1).
// Three passes: the largest │c│, by which all are divided so that no power leaves the range, the
// sum of powers, the update.
#include "cuda/base/kernels.h"
#include "cuda/updates/lion_rule.h"
#include "cuda/base/totals.h"
#include "cuda/updates/update.h"

namespace flatmin {
namespace cuda {

namespace {

__global__ void largestBlends(const Chunk<3>* chunks, int64_t count, char* const* table,
                              const int32_t* status, const double* row, formulas::LionSlots slots,
                              Largest* partial) {
  if (standsStill(status)) return;
  const formulas::LionScalars s = slots.at(row);
  for (int64_t c = blockIdx.x; c < count; c += gridDim.x) {
    Largest mine = Largest::none();
    forElements<3, 0>(chunks[c], table,
                      [&](float* v) { mine.meet({fabsf(s.beta1 * v[2] + s.rest1 * v[1]), 0}); });
    const Largest largest = blockTotal(mine);
    if (threadIdx.x == 0) partial[c] = largest;
  }
}

__global__ void sumPowers(const Chunk<3>* chunks, int64_t count, char* const* table,
                          const int32_t* status, const double* row, formulas::LionSlots slots,
                          double p, const Largest* tops, Total* partial) {
  if (standsStill(status)) return;
  const formulas::LionScalars s = slots.at(row);
  for (int64_t c = blockIdx.x; c < count; c += gridDim.x) {
    const double top = tops[chunks[c].index].size;
    Total mine = Total::none();
    forElements<3, 0>(chunks[c], table, [&](float* v) {
      const float size = fabsf(s.beta1 * v[2] + s.rest1 * v[1]);
      mine.sum += size == 0 ? 0 : pow(size / top, p);
    });
    const Total total = blockTotal(mine);
    if (threadIdx.x == 0) partial[c] = total;
  }
}

struct LpGradient {
  double top, exponent, scale;
  __device__ float operator()(float c) const {
    if (c == 0) return c;
    return SignOf{}(c) *
           static_cast<float>(pow(fabs(static_cast<double>(c)) / top, exponent) * scale);
  }
};

__global__ void lionLp(const Chunk<3>* chunks, int64_t count, char* const* table,
                       const int32_t* status, const double* row, formulas::LionSlots slots,
                       double p, const Largest* tops, const Total* powers) {
  if (standsStill(status)) return;
  const formulas::LionScalars s = slots.at(row);
  for (int64_t c = blockIdx.x; c < count; c += gridDim.x) {
    const int tensor = chunks[c].index;
    const LpGradient gradient{tops[tensor].size, p - 1, pow(powers[tensor].sum, 1 / p - 1)};
    forElements<3, 5>(chunks[c], table,
                      [&](float* v) { formulas::lion(v[0], v[1], v[2], s, gradient); });
  }
}

}  // namespace

Run op_lionLp(Instruction& in) {
  const Operand status = in.inputs.at(0);
  const std::vector<Operand> operands(in.inputs.begin() + 1, in.inputs.end());
  const ChunkList<3> list(in, operands);
  const Constant<Span> spans(in, spansOf(operands, 3, false));
  const formulas::LionSlots slots(in);
  const double p = in.number("p");
  in.scratchBytes =
      (list.count() + spans.size()) * static_cast<int64_t>(sizeof(Largest) + sizeof(Total));
  return [=](const Step& step) {
    if (list.count() == 0) return;  // guard
    Largest* const largest = reinterpret_cast<Largest*>(step.scratch);
    Largest* const tops = largest + list.count();
    Total* const sums = reinterpret_cast<Total*>(tops + spans.size());
    Total* const powers = sums + list.count();
    LAUNCH(largestBlends, list.blocks(), kThreads, 0, step.stream, list.data(), list.count(),
           step.table, status.i32(step), step.row, slots, largest);
    addUp(spans, largest, tops, step);
    LAUNCH(sumPowers, list.blocks(), kThreads, 0, step.stream, list.data(), list.count(),
           step.table, status.i32(step), step.row, slots, p, tops, sums);
    addUp(spans, sums, powers, step);
    LAUNCH(lionLp, list.blocks(), kThreads, 0, step.stream, list.data(), list.count(), step.table,
           status.i32(step), step.row, slots, p, tops, powers);
  };
}

}  // namespace cuda
}  // namespace flatmin
