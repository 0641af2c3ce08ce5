// Words of the status block, as in src/ops/status.ts.
#pragma once

#include "cuda/base/launch.h"

namespace flatmin {
namespace cuda {

enum StatusWord { kStop = 0, kSkip, kTensor, kStep, kSkipped, kRootFailures };

__device__ inline bool standsStill(const int32_t* status) { return status[kStop] || status[kSkip]; }

// A count that stays where int32 ends.
__device__ inline void countUp(int32_t& count) {
  if (count < INT32_MAX) count += 1;
}

}  // namespace cuda
}  // namespace flatmin
