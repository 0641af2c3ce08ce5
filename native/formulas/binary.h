// Functions of two numbers: F is float or a vector of floats.
#pragma once

#include "host_device.h"

namespace flatmin {
namespace formulas {

#define FLATMIN_BINARY(Name, result)               \
  struct Name {                                    \
    template <class F>                             \
    FLATMIN_FORMULA F operator()(F a, F b) const { \
      return result;                               \
    }                                              \
  };
// 1 or 0.
#define FLATMIN_RELATION(Name, holds) FLATMIN_BINARY(Name, holds ? F{} + 1.0f : F{})

FLATMIN_BINARY(Add, a + b)
FLATMIN_BINARY(Sub, a - b)
FLATMIN_BINARY(Mul, a* b)
FLATMIN_BINARY(Div, a / b)
// NaN when either is.
FLATMIN_BINARY(Maximum, a != a ? a : (a > b ? a : b))
FLATMIN_BINARY(Minimum, a != a ? a : (a < b ? a : b))
FLATMIN_RELATION(Less, a < b)
FLATMIN_RELATION(GreaterEqual, a >= b)
FLATMIN_RELATION(Equal, a == b)
FLATMIN_RELATION(NotEqual, a != b)
FLATMIN_RELATION(LogicalAnd, (a != 0.0f) & (b != 0.0f))
FLATMIN_RELATION(LogicalOr, (a != 0.0f) | (b != 0.0f))

#undef FLATMIN_RELATION
#undef FLATMIN_BINARY

}  // namespace formulas
}  // namespace flatmin
