// What the passes of an LSTM read of a vector of units of a step.
#pragma once

#include "cpu/nn/recurrence.h"

namespace flatmin {
namespace FLATMIN_ISA {

// Gates of a step: 4H numbers, those of i, then of f, g and o.
inline constexpr int kGates = 4;
static_assert(kGates == kBlockVectors, "a block has a vector of each gate");

struct UnitOfStep {
  vf i, f, g, o, before, cell;

  // `previous` is where the step before stands, −1 at a row's first.
  UnitOfStep(const float* gates, const float* cells, int64_t hidden, int64_t at, int64_t previous,
             int64_t j, int64_t lanes)
      : i(gateOf(0, gates, hidden, at, j, lanes)),
        f(gateOf(1, gates, hidden, at, j, lanes)),
        g(gateOf(2, gates, hidden, at, j, lanes)),
        o(gateOf(3, gates, hidden, at, j, lanes)),
        before(previous < 0 ? vf{} : loadFirst(cells + previous * hidden + j, lanes)),
        cell(loadFirst(cells + at * hidden + j, lanes)) {}

 private:
  static vf gateOf(int gate, const float* gates, int64_t hidden, int64_t at, int64_t j,
                   int64_t lanes) {
    return loadFirst(gates + (at * kGates + gate) * hidden + j, lanes);
  }
};

}  // namespace FLATMIN_ISA
}  // namespace flatmin
