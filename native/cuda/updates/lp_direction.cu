// lpDirection: sign(g)|g|^(q−1) / ‖g‖_q^(q−1) over a list of tensors as one vector, 1/p + 1/q = 1.
#include "cuda/base/kernels.h"
#include "cuda/base/scalar.h"
#include "cuda/base/totals.h"

namespace flatmin {
namespace cuda {

namespace {

// Chunks of g and its direction.
__global__ void largestOf(const Chunk<2>* chunks, int64_t count, char* const* table,
                          Largest* partial) {
  for (int64_t c = blockIdx.x; c < count; c += gridDim.x) {
    Largest mine = Largest::none();
    forQuads<2, 0>(chunks[c], table, [&](int64_t i, int n, float (*v)[2]) {
      for (int l = 0; l < n; ++l) mine.meet({fabsf(v[l][0]), placeOf(c, i + l - chunks[c].begin)});
    });
    const Largest largest = blockTotal(mine);
    if (threadIdx.x == 0) partial[c] = largest;
  }
}

// p = 1: the sign at the largest alone.
__global__ void pick(const Chunk<2>* chunks, int64_t count, char* const* table,
                     const Largest* top) {
  for (int64_t c = blockIdx.x; c < count; c += gridDim.x)
    forQuads<2, 2>(chunks[c], table, [&](int64_t i, int n, float (*v)[2]) {
      for (int l = 0; l < n; ++l) {
        const bool largest = placeOf(c, i + l - chunks[c].begin) == top->where;
        v[l][1] = largest ? SignOf{}(v[l][0]) : 0.0f;
      }
    });
}

// u ← sign(g) |g/max|^exponent; each chunk's Σ |g/max|^(exponent + 1). All 0 gives 0.
__global__ void raise(const Chunk<2>* chunks, int64_t count, char* const* table, double exponent,
                      const Largest* top, Total* partial) {
  const double size = top->size == 0 ? 1 : top->size;
  for (int64_t c = blockIdx.x; c < count; c += gridDim.x) {
    Total mine = Total::none();
    forElements<2, 2>(chunks[c], table, [&](float* v) {
      const double share = fabs(static_cast<double>(v[0])) / size;
      const double power = exponent == 0 ? 1 : pow(share, exponent);
      mine.sum += power * share;
      v[1] = static_cast<float>(power) * SignOf{}(v[0]);
    });
    const Total total = blockTotal(mine);
    if (threadIdx.x == 0) partial[c] = total;
  }
}

__global__ void shrink(const Chunk<2>* chunks, int64_t count, char* const* table, double p,
                       const Total* total) {
  const float scale = total->sum == 0 ? 0.0f : static_cast<float>(pow(total->sum, -1 / p));
  for (int64_t c = blockIdx.x; c < count; c += gridDim.x)
    forElements<2, 2>(chunks[c], table, [&](float* v) { v[1] *= scale; });
}

}  // namespace

Run op_lpDirection(Instruction& in) {
  std::vector<Operand> operands;
  for (size_t t = 0; t < in.inputs.size(); ++t)
    operands.insert(operands.end(), {in.inputs[t], in.outputs.at(t)});
  const ChunkList<2> list(in, operands);
  const Constant<Span> all(in, spansOf(operands, 2, true));
  const double p = in.number("p");
  const double exponent = 1 / (p - 1);  // q − 1
  in.scratchBytes = (list.count() + 1) * static_cast<int64_t>(sizeof(Largest) + sizeof(Total));
  return [=](const Step& step) {
    if (list.count() == 0) return;  // guard
    Largest* const largest = reinterpret_cast<Largest*>(step.scratch);
    Largest* const top = largest + list.count();
    Total* const sums = reinterpret_cast<Total*>(top + 1);
    Total* const total = sums + list.count();
    const auto launch = [&](auto kernel, auto... rest) {
      LAUNCH(kernel, list.blocks(), kThreads, 0, step.stream, list.data(), list.count(), step.table,
             rest...);
    };
    launch(largestOf, largest);
    addUp(all, largest, top, step);
    if (p == 1) return launch(pick, static_cast<const Largest*>(top));
    launch(raise, exponent, static_cast<const Largest*>(top), sums);
    addUp(all, sums, total, step);
    launch(shrink, p, static_cast<const Total*>(total));
  };
}

}  // namespace cuda
}  // namespace flatmin
