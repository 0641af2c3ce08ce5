// kfacModel: α and μ of K-FAC's quadratic model, and what it promises; formula in
// formulas/quadratic_model.h. Sums of chunks by a block each, then one block for all.
#include "cuda/base/kernels.h"
#include "cuda/base/totals.h"
#include "formulas/quadratic_model.h"

namespace flatmin {
namespace cuda {

namespace {

// Inner products of the gradient v, the proposal u and the last update d.
struct Products {
  double uu, ud, dd, vu, vd;

  __device__ static Products none() { return {0, 0, 0, 0, 0}; }
  __device__ void meet(const Products& other) {
    uu += other.uu;
    ud += other.ud;
    dd += other.dd;
    vu += other.vu;
    vd += other.vd;
  }
};

// Chunks of v, u and d.
__global__ void multiplyChunks(const Chunk<3>* chunks, int64_t count, char* const* table,
                               Products* partial) {
  for (int64_t c = blockIdx.x; c < count; c += gridDim.x) {
    Products mine = Products::none();
    forElements<3, 0>(chunks[c], table, [&](float* x) {
      const double v = x[0], u = x[1], d = x[2];
      mine.meet({u * u, u * d, d * d, v * u, v * d});
    });
    const Products total = blockTotal(mine);
    if (threadIdx.x == 0) partial[c] = total;
  }
}

// One block.
__global__ void leastOfModel(int64_t count, const Products* partial, const float* uFu,
                             const float* uFd, const float* dFd, const float* damping,
                             double weightDecay, float* alpha, float* mu, float* change) {
  Products mine = Products::none();
  for (int64_t c = threadIdx.x; c < count; c += kThreads) mine.meet(partial[c]);
  const Products all = blockTotal(mine);
  if (threadIdx.x != 0) return;  // guard
  const double shift = *damping + weightDecay;
  const formulas::ModelStep best = formulas::solve(
      {*uFu + shift * all.uu, *uFd + shift * all.ud, *dFd + shift * all.dd, all.vu, all.vd});
  *alpha = static_cast<float>(best.alpha);
  *mu = static_cast<float>(best.mu);
  *change = static_cast<float>(best.change);
}

}  // namespace

Run op_kfacModel(Instruction& in) {
  const std::vector<Operand> inputs = in.inputs;
  const std::vector<Operand> outputs = in.outputs;
  const double weightDecay = in.number("weightDecay");
  const ChunkList<3> list(in, {inputs.begin() + 4, inputs.end()});
  in.scratchBytes = list.count() * static_cast<int64_t>(sizeof(Products));
  return [=](const Step& step) {
    Products* const partial = reinterpret_cast<Products*>(step.scratch);
    if (list.count() > 0)
      LAUNCH(multiplyChunks, list.blocks(), kThreads, 0, step.stream, list.data(), list.count(),
             step.table, partial);
    LAUNCH(leastOfModel, 1, kThreads, 0, step.stream, list.count(), partial, inputs[0].f32(step),
           inputs[1].f32(step), inputs[2].f32(step), inputs[3].f32(step), weightDecay,
           outputs[0].f32(step), outputs[1].f32(step), outputs[2].f32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
