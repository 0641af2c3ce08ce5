// Symmetric matrices stored once: of n × n the lower triangle, row after row, row r from
// packedSize(r) on (src/linalg/packed.ts).
#pragma once

#include <cstdint>

#include "host_device.h"

namespace flatmin {
namespace formulas {

FLATMIN_FORMULA int64_t packedSize(int64_t n) { return n * (n + 1) / 2; }

}  // namespace formulas
}  // namespace flatmin
