// The failure policy of roots, inverses and eigendecompositions: a failure keeps the last good
// matrix and counts; three in a row of one matrix, or an entry that is not finite, stop the run and
// name the tensor.
#pragma once

#include "cpu/base/status.h"
#include "cpu/linalg/matrix_status.h"

namespace flatmin {
namespace FLATMIN_ISA {

inline void settle(int32_t* words, int32_t& failures, MatrixStatus result, double tensor,
                   double step) {
  constexpr int32_t kPatience = 3;
  if (result == MatrixStatus::ok) {
    failures = 0;
    return;
  }
  countUp(failures);
  countUp(words[kRootFailures]);
  if (result != MatrixStatus::notFinite && failures < kPatience) return;
  if (words[kStop]) return;
  words[kStop] = result == MatrixStatus::notFinite ? 3 : 2;
  words[kTensor] = static_cast<int32_t>(tensor);
  words[kStep] = static_cast<int32_t>(step);
}

// What holds of several matrices together.
inline MatrixStatus together(const MatrixStatus* begin, const MatrixStatus* end) {
  MatrixStatus all = MatrixStatus::ok;
  for (; begin != end; ++begin) {
    if (*begin == MatrixStatus::notFinite) return *begin;
    if (all == MatrixStatus::ok) all = *begin;
  }
  return all;
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
