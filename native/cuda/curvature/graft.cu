// graft: d · |s|/|d| of every direction d and step s, tensor by tensor; 0 where |d| = 0. Sums of
// chunks, their totals in order, then the products.
#include "cuda/base/block.h"
#include "cuda/base/chunks.h"
#include "cuda/base/kernels.h"

namespace flatmin {
namespace cuda {

namespace {

struct Squares {
  double direction, step;
};

// Chunks of d, s and the result.
__global__ void sumSquares(const Chunk<3>* chunks, int64_t count, char* const* table,
                           Squares* partial) {
  for (int64_t c = blockIdx.x; c < count; c += gridDim.x) {
    Squares sum = {0, 0};
    forElements<3, 0>(chunks[c], table, [&](float* v) {
      sum.direction += static_cast<double>(v[0]) * v[0];
      sum.step += static_cast<double>(v[1]) * v[1];
    });
    const Squares total = {blockSum(sum.direction), blockSum(sum.step)};
    if (threadIdx.x == 0) partial[c] = total;
  }
}

// A thread to a tensor.
__global__ void ratios(const Chunk<3>* chunks, int64_t count, const Squares* partial,
                       int64_t tensors, double* scales) {
  for (int64_t t = globalThread(); t < tensors; t += globalThreads()) {
    Squares total = {0, 0};
    for (int64_t c = 0; c < count; ++c)
      if (chunks[c].index == t) {
        total.direction += partial[c].direction;
        total.step += partial[c].step;
      }
    scales[t] = total.direction == 0 ? 0 : sqrt(total.step / total.direction);
  }
}

__global__ void scaleDirections(const Chunk<3>* chunks, int64_t count, char* const* table,
                                const double* scales) {
  for (int64_t c = blockIdx.x; c < count; c += gridDim.x) {
    const double scale = scales[chunks[c].index];
    forElements<3, 4>(chunks[c], table, [&](float* v) { v[2] = static_cast<float>(scale * v[0]); });
  }
}

}  // namespace

Run op_graft(Instruction& in) {
  std::vector<Operand> operands;
  for (size_t t = 0; t < in.outputs.size(); ++t)
    operands.insert(operands.end(), {in.inputs.at(2 * t), in.inputs.at(2 * t + 1), in.outputs[t]});
  const ChunkList<3> list(in, operands);
  const int64_t tensors = static_cast<int64_t>(in.outputs.size());
  in.scratchBytes = list.count() * static_cast<int64_t>(sizeof(Squares)) +
                    tensors * static_cast<int64_t>(sizeof(double));
  return [=](const Step& step) {
    if (list.count() == 0) return;  // guard
    Squares* const partial = reinterpret_cast<Squares*>(step.scratch);
    double* const scales = reinterpret_cast<double*>(partial + list.count());
    LAUNCH(sumSquares, list.blocks(), kThreads, 0, step.stream, list.data(), list.count(),
           step.table, partial);
    LAUNCH(ratios, blocksFor(tensors), kThreads, 0, step.stream, list.data(), list.count(), partial,
           tensors, scales);
    LAUNCH(scaleDirections, list.blocks(), kThreads, 0, step.stream, list.data(), list.count(),
           step.table, scales);
  };
}

}  // namespace cuda
}  // namespace flatmin
