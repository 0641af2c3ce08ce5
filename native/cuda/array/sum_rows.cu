// sumRows: the rows of dy that have an index in common are added to the first of them, in order, and
// the others are 0 (src/ops/table_rows.ts).
#include "cuda/base/kernels.h"
#include "cuda/base/launch.h"

namespace flatmin {
namespace cuda {

namespace {

// A block to a row of dy.
__global__ void sumEqualRows(int64_t count, int64_t width, int64_t rows, const float* dy,
                             const int32_t* indices, float* sums, int32_t* at) {
  for (int64_t row = blockIdx.x; row < count; row += gridDim.x) {
    const int64_t index = indices[row];
    int known = index < 0 || index >= rows;
    for (int64_t r = threadIdx.x; r < row; r += kThreads) known |= indices[r] == index;
    known = __syncthreads_or(known);
    if (threadIdx.x == 0) at[row] = known ? -1 : static_cast<int32_t>(index);
    for (int64_t j = threadIdx.x; j < width; j += kThreads) {
      float sum = 0;
      for (int64_t r = row; !known && r < count; ++r)
        if (indices[r] == index) sum += dy[r * width + j];
      sums[row * width + j] = sum;
    }
  }
}

}  // namespace

Run op_sumRows(Instruction& in) {
  const Operand dy = in.inputs.at(0), indices = in.inputs.at(1);
  const Operand sums = in.outputs.at(0), at = in.outputs.at(1);
  const int64_t rows = in.inputs.at(2).dim(0), count = sums.dim(0), width = sums.dim(1);
  return [=](const Step& step) {
    if (count == 0) return;  // guard
    LAUNCH(sumEqualRows, static_cast<unsigned>(std::min(count, kMostBlocks)), kThreads, 0,
           step.stream, count, width, rows, dy.f32(step), indices.i32(step), sums.f32(step),
           at.i32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
