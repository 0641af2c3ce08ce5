// Functions of one value, as formulas take them.
#pragma once

#include "cuda/base/launch.h"

namespace flatmin {
namespace cuda {

// −1, 0 or 1; NaN stays NaN.
struct SignOf {
  __device__ float operator()(float x) const { return x > 0.0f ? 1.0f : (x < 0.0f ? -1.0f : x); }
};

struct SqrtOf {
  __device__ float operator()(float x) const { return sqrtf(x); }
};

struct PowOf {
  __device__ float operator()(float a, float b) const { return powf(a, b); }
};

}  // namespace cuda
}  // namespace flatmin
