// Lion-K (arXiv 2310.05898) for the K that are sums over elements: Lion with ∇K in the place of the
// sign.
#include "cpu/base/kernels.h"
#include "cpu/base/lanewise.h"
#include "cpu/updates/update.h"
#include "formulas/lion_slots.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

// As in src/ops/lion_k.ts.
enum Kind { kAbsolute, kDeadZone, kHuber, kSmooth, kSquared };

// ∇K of Σ max(│cᵢ│ − e, 0)
inline vf deadZone(vf c, float e) { return c <= e && c >= -e ? vf{} : signOf(c); }

// ∇K of Σ huberₑ(cᵢ)
inline vf huber(vf c, float e) {
  const vf x = c / e;
  return x > 1.0f ? splat(1.0f) : (x < -1.0f ? splat(-1.0f) : x);
}

// ∇K of Σ √(cᵢ² + e²); from 1e9 e on it is 1 in float32, and x² may overflow.
inline vf smooth(vf c, float e) {
  const vf x = c / e;
  return x > 1e9f || x < -1e9f ? signOf(x) : x / sqrtOf(1.0f + x * x);
}

}  // namespace

Run op_lionK(Instruction& in) {
  const formulas::LionSlots slots(in);
  const float e = static_cast<float>(in.number("e"));
  const UpdateList<3> list(in);
  const auto with = [&](auto gradient) -> Run {
    return [=](const Step& step) {
      const formulas::LionScalars s = slots.at(step.row);
      list.apply(step, [&](vf* v) { formulas::lion(v[0], v[1], v[2], s, gradient); });
    };
  };
  switch (static_cast<Kind>(in.integer("kind"))) {
    case kAbsolute:
      return with([](vf c) { return signOf(c); });
    case kDeadZone:
      return with([e](vf c) { return deadZone(c, e); });
    case kHuber:
      return with([e](vf c) { return huber(c, e); });
    case kSmooth:
      return with([e](vf c) { return smooth(c, e); });
    case kSquared:
      return with([](vf c) { return c; });
  }
  throw ProgramError("unknown K");
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
