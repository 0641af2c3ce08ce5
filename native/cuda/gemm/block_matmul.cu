// blockMatmul: a product with a matrix that has square blocks on its diagonal and nothing else, a
// product of gemm.h to a block.
#include "cuda/base/kernels.h"
#include "cuda/gemm/gemm.h"

namespace flatmin {
namespace cuda {

Run op_blockMatmul(Instruction& in) {
  const Operand x = in.inputs.at(0), y = in.outputs.at(0);
  const std::vector<Operand> blocks(in.inputs.begin() + 1, in.inputs.end());
  const bool left = in.integer("left") != 0, transBlocks = in.integer("transBlocks") != 0;
  const bool transX = in.integer("transX") != 0;
  const auto shapeOf = [=](int64_t order) {
    return left ? GemmShape(order, y.dim(1), order) : GemmShape(y.dim(0), order, order);
  };
  for (const Operand& block : blocks)
    in.scratchBytes = std::max(in.scratchBytes, shapeOf(block.dim(0)).scratchBytes());
  return [=](const Step& step) {
    const int64_t rowStride = transX ? 1 : x.dim(1), columnStride = transX ? x.dim(1) : 1;
    int64_t begin = 0;
    for (const Operand& block : blocks) {
      const int64_t order = block.dim(0), i = left ? begin : 0, j = left ? 0 : begin;
      const int64_t down = transBlocks ? 1 : order, across = transBlocks ? order : 1;
      const float* const own = x.f32(step) + i * rowStride + j * columnStride;
      const RowMajor out{y.f32(step) + i * y.dim(1) + j, y.dim(1), nullptr};
      if (left)
        gemm(shapeOf(order), leftMatrix(block.f32(step), down, across),
             rightMatrix(own, rowStride, columnStride), out, step.scratch, step.stream);
      else
        gemm(shapeOf(order), leftMatrix(own, rowStride, columnStride),
             rightMatrix(block.f32(step), down, across), out, step.scratch, step.stream);
      begin += order;
    }
  };
}

}  // namespace cuda
}  // namespace flatmin
