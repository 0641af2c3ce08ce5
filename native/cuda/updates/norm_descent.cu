// Norm-constrained descent: θ ← θ − η(s·u + λθ), u the element of the unit ball with the largest
// ⟨m, u⟩ and s = 1 or the dual norm of m; m ← μm + (1−μ)g. One pass for m and the dual norms, one
// for θ.
#include "cuda/base/kernels.h"
#include "cuda/base/scalar.h"
#include "cuda/base/totals.h"
#include "cuda/updates/update.h"

namespace flatmin {
namespace cuda {

namespace {

// As in src/ops/norm_descent.ts.
enum Norm { kL2, kLInf, kL1 };

// Σ m², Σ │m│ and the first of the largest │m│.
struct Dual {
  double squares, sum;
  Largest top;

  __device__ static Dual none() { return {0, 0, Largest::none()}; }
  __device__ void meet(const Dual& other) {
    squares += other.squares;
    sum += other.sum;
    top.meet(other.top);
  }
};

struct NormDescent {
  int64_t lrSlot;
  float momentum, rest, weightDecay;
  Norm norm;
  bool dual;

  // s·u of an element.
  __device__ float direction(float m, const Dual& of, int64_t place) const {
    if (norm == kL2) return dual || of.squares == 0 ? m : static_cast<float>(m / sqrt(of.squares));
    if (norm == kLInf) return (dual ? static_cast<float>(of.sum) : 1.0f) * SignOf{}(m);
    return place != of.top.where ? 0.0f : (dual ? m : SignOf{}(m));
  }
};

// The last of a chunk's tensors is m: g itself without momentum.
template <int kWidth>
__global__ void dualNorms(const Chunk<kWidth>* chunks, int64_t count, char* const* table,
                          const int32_t* status, NormDescent rule, Dual* partial) {
  constexpr int kM = kWidth - 1;
  if (standsStill(status)) return;
  for (int64_t c = blockIdx.x; c < count; c += gridDim.x) {
    Dual mine = Dual::none();
    forQuads<kWidth, kM == 2 ? 4 : 0>(chunks[c], table, [&](int64_t i, int n, float (*v)[kWidth]) {
      for (int l = 0; l < n; ++l) {
        if (kM == 2) v[l][kM] = rule.momentum * v[l][kM] + rule.rest * v[l][1];
        const double m = v[l][kM];
        mine.meet({m * m, fabs(m), {fabs(m), placeOf(c, i + l - chunks[c].begin)}});
      }
    });
    const Dual total = blockTotal(mine);
    if (threadIdx.x == 0) partial[c] = total;
  }
}

template <int kWidth>
__global__ void descend(const Chunk<kWidth>* chunks, int64_t count, char* const* table,
                        const int32_t* status, const double* row, NormDescent rule,
                        const Dual* totals) {
  if (standsStill(status)) return;
  const float lr = static_cast<float>(row[rule.lrSlot]);
  for (int64_t c = blockIdx.x; c < count; c += gridDim.x) {
    const Dual of = totals[chunks[c].index];
    forQuads<kWidth, 1>(chunks[c], table, [&](int64_t i, int n, float (*v)[kWidth]) {
      for (int l = 0; l < n; ++l) {
        const int64_t place = placeOf(c, i + l - chunks[c].begin);
        const float u = rule.direction(v[l][kWidth - 1], of, place);
        v[l][0] = v[l][0] - lr * (u + rule.weightDecay * v[l][0]);
      }
    });
  }
}

template <int kWidth>
Run normDescent(Instruction& in, const NormDescent& rule) {
  const Operand status = in.inputs.at(0);
  const std::vector<Operand> operands(in.inputs.begin() + 1, in.inputs.end());
  const ChunkList<kWidth> list(in, operands);
  const Constant<Span> spans(in, spansOf(operands, kWidth, false));
  in.scratchBytes = (list.count() + spans.size()) * static_cast<int64_t>(sizeof(Dual));
  return [=](const Step& step) {
    if (list.count() == 0) return;  // guard
    Dual* const duals = reinterpret_cast<Dual*>(step.scratch);
    Dual* const totals = duals + list.count();
    LAUNCH(dualNorms<kWidth>, list.blocks(), kThreads, 0, step.stream, list.data(), list.count(),
           step.table, status.i32(step), rule, duals);
    addUp(spans, duals, totals, step);
    LAUNCH(descend<kWidth>, list.blocks(), kThreads, 0, step.stream, list.data(), list.count(),
           step.table, status.i32(step), step.row, rule, totals);
  };
}

}  // namespace

Run op_normDescent(Instruction& in) {
  const double momentum = in.number("momentum");
  const NormDescent rule{in.integer("lrSlot"),
                         static_cast<float>(momentum),
                         static_cast<float>(1 - momentum),
                         static_cast<float>(in.number("weightDecay")),
                         static_cast<Norm>(in.integer("norm")),
                         in.integer("dual") != 0};
  return momentum == 0 ? normDescent<2>(in, rule) : normDescent<3>(in, rule);
}

}  // namespace cuda
}  // namespace flatmin
