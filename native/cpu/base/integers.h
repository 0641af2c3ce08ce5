// Quotients that are rounded up.
#pragma once

#include <cstdint>

namespace flatmin {
namespace FLATMIN_ISA {

static inline int64_t ceilDiv(int64_t x, int64_t y) { return (x + y - 1) / y; }
static inline int64_t roundUp(int64_t x, int64_t y) { return ceilDiv(x, y) * y; }

}  // namespace FLATMIN_ISA
}  // namespace flatmin
