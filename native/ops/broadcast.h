// The common shape of operands that are broadcast as in NumPy.
#pragma once

#include <algorithm>

#include "ops/signature.h"

namespace flatmin {
namespace ops {

inline std::vector<int64_t> broadcastShape(
    const Signature& s, std::initializer_list<const std::vector<int64_t>*> operands) {
  size_t rank = 0;
  for (const std::vector<int64_t>* shape : operands) rank = std::max(rank, shape->size());
  std::vector<int64_t> y;
  for (size_t back = rank; back >= 1; --back) {
    int64_t common = 1;
    for (const std::vector<int64_t>* shape : operands) {
      const int64_t size = back <= shape->size() ? (*shape)[shape->size() - back] : 1;
      s.expect(size == 1 || common == 1 || size == common, "shapes that broadcast");
      if (size != 1) common = size;
    }
    y.push_back(common);
  }
  return y;
}

}  // namespace ops
}  // namespace flatmin
