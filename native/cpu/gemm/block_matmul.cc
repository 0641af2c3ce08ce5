// blockMatmul: a product with a matrix that has square blocks on its diagonal and nothing else
// (src/ops/block_matmul.ts).
#include "cpu/base/kernels.h"
#include "cpu/gemm/gemm.h"

namespace flatmin {
namespace FLATMIN_ISA {

Run op_blockMatmul(Instruction& in) {
  const Operand x = in.inputs.at(0), y = in.outputs.at(0);
  const std::vector<Operand> blocks(in.inputs.begin() + 1, in.inputs.end());
  const bool left = in.integer("left") != 0, transBlocks = in.integer("transBlocks") != 0;
  const bool transX = in.integer("transX") != 0;
  const auto shapeOf = [=](int64_t order) {
    return left ? GemmShape{order, y.dim(1), order} : GemmShape{y.dim(0), order, order};
  };
  size_t floats = 0;
  for (const Operand& block : blocks)
    floats = std::max(floats, gemmScratchFloats(shapeOf(block.dim(0)), in.threads));
  in.scratchBytes = static_cast<int64_t>(floats * sizeof(float));
  return [=](const Step& step) {
    const Matrix given{x.f32(step), x.dim(1), 1};
    const Matrix whole = transX ? given.transposed() : given;
    float* const scratch = reinterpret_cast<float*>(step.scratch);
    int64_t begin = 0;
    for (const Operand& operand : blocks) {
      const int64_t order = operand.dim(0), i = left ? begin : 0, j = left ? 0 : begin;
      const Matrix stored{operand.f32(step), order, 1};
      const Matrix block = transBlocks ? stored.transposed() : stored;
      const Matrix own = whole.from(i, j);
      const GemmOut out{y.f32(step) + i * y.dim(1) + j, y.dim(1)};
      if (left)
        gemm(shapeOf(order), block, own, out, scratch, step.pool);
      else
        gemm(shapeOf(order), own, block, out, scratch, step.pool);
      begin += order;
    }
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
