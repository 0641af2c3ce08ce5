// Words of the status block, as in src/ops/status.ts.
#pragma once

#include <cstdint>

namespace flatmin {
namespace FLATMIN_ISA {

enum StatusWord { kStop = 0, kSkip, kTensor, kStep, kSkipped, kRootFailures };

static inline bool standsStill(const int32_t* status) { return status[kStop] || status[kSkip]; }

// A count that stays where int32 ends.
static inline void countUp(int32_t& count) {
  if (count < INT32_MAX) count += 1;
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
