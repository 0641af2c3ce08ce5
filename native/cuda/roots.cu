// countUpdate: how often the statistics under a root were updated.
#include "cuda/kernels.h"
#include "cuda/status.h"

namespace flatmin {
namespace cuda {

__global__ void countUpdate(const int32_t* status, int32_t* updates) {
  if (!standsStill(status)) *updates += 1;
}

Run op_countUpdate(Instruction& in) {
  const Operand status = in.inputs.at(0), updates = in.inputs.at(1);
  return [=](const Step& step) {
    LAUNCH(countUpdate, 1, 1, 0, step.stream, status.i32(step), updates.i32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
