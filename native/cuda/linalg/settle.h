// The failure policy of roots, inverses and eigendecompositions (native/cpu/linalg/settle.h), for
// one thread.
#pragma once

#include "cuda/base/status.h"

namespace flatmin {
namespace cuda {

enum MatrixOutcome : int32_t { kMatrixOk, kMatrixNotFinite, kMatrixFailed };

__device__ inline void settle(int32_t* status, int32_t& failures, int32_t outcome, int32_t tensor,
                              double step) {
  constexpr int32_t kPatience = 3;
  if (outcome == kMatrixOk) {
    failures = 0;
    return;
  }
  countUp(failures);
  countUp(status[kRootFailures]);
  const bool notFinite = outcome == kMatrixNotFinite;
  if (status[kStop] || (!notFinite && failures < kPatience)) return;
  status[kStop] = notFinite ? 3 : 2;
  status[kTensor] = tensor;
  status[kStep] = static_cast<int32_t>(step);
}

// What holds of several matrices together.
__device__ inline int32_t together(const int32_t* begin, const int32_t* end) {
  int32_t all = kMatrixOk;
  for (; begin != end; ++begin) {
    if (*begin == kMatrixNotFinite) return kMatrixNotFinite;
    if (*begin != kMatrixOk) all = kMatrixFailed;
  }
  return all;
}

}  // namespace cuda
}  // namespace flatmin
