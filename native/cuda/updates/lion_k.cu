// Lion-K (arXiv 2310.05898) for the K that are sums over elements: Lion with ∇K in the place of the
// sign.
#include "cuda/base/kernels.h"
#include "cuda/updates/lion_rule.h"
#include "cuda/updates/update.h"

namespace flatmin {
namespace cuda {

namespace {

// As in src/ops/lion_k.ts.
enum Kind { kAbsolute, kDeadZone, kHuber, kSmooth, kSquared };

// ∇K of Σ max(│cᵢ│ − e, 0)
struct DeadZone {
  float e;
  __device__ float operator()(float c) const { return c <= e && c >= -e ? 0.0f : SignOf{}(c); }
};

// ∇K of Σ huberₑ(cᵢ)
struct Huber {
  float e;
  __device__ float operator()(float c) const {
    const float x = c / e;
    return x > 1.0f ? 1.0f : (x < -1.0f ? -1.0f : x);
  }
};

// ∇K of Σ √(cᵢ² + e²); from 1e9 e on it is 1 in float32, and x² may overflow.
struct Smooth {
  float e;
  __device__ float operator()(float c) const {
    const float x = c / e;
    return x > 1e9f || x < -1e9f ? SignOf{}(x) : x / sqrtf(1.0f + x * x);
  }
};

struct Identity {
  __device__ float operator()(float c) const { return c; }
};

}  // namespace

Run op_lionK(Instruction& in) {
  const formulas::LionSlots slots(in);
  const float e = static_cast<float>(in.number("e"));
  switch (static_cast<Kind>(in.integer("kind"))) {
    case kAbsolute:
      return updateRun<3>(in, LionRule<SignOf>{slots, {}});
    case kDeadZone:
      return updateRun<3>(in, LionRule<DeadZone>{slots, {e}});
    case kHuber:
      return updateRun<3>(in, LionRule<Huber>{slots, {e}});
    case kSmooth:
      return updateRun<3>(in, LionRule<Smooth>{slots, {e}});
    case kSquared:
      return updateRun<3>(in, LionRule<Identity>{slots, {}});
  }
  throw ProgramError("unknown K");
}

}  // namespace cuda
}  // namespace flatmin
