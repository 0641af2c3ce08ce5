#include "cpu/gemm/products.h"

#include <algorithm>

#include "cpu/base/chunks.h"
#include "cpu/gemm/gemm_bf16.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

constexpr int kTf32 = 10, kBf16 = 7;  // bits of fraction

// As src/linalg/rounding.ts.
void roundTo(int64_t fractionBits, const float* from, int64_t n, float* to) {
  const int dropped = 23 - static_cast<int>(fractionBits);
  const uint32_t half = (1u << (dropped - 1)) - 1, kept = ~0u << dropped;
  for (int64_t i = 0; i < n; i += kLanes) {
    const int64_t lanes = std::min<int64_t>(n - i, kLanes);
    const vu bits = (vu)loadTail(from + i, lanes);
    const vu rounded = (bits + half + (bits >> dropped & 1u)) & kept;
    storeTail(to + i, (vf)((bits & 0x7f800000u) == 0x7f800000u ? bits : rounded), lanes);
  }
}

int64_t paddedBytes(int64_t bytes) { return (bytes + 63) / 64 * 64; }

}  // namespace

PairUnit pairUnitOf(const Instruction& in) {
  if (!isRounded(in) || in.integer("fractionBits") != kBf16) return PairUnit::none;
  return static_cast<const Host*>(in.device)->pairUnit;
}

GemmFunctions gemmFunctionsOf(const Instruction& in) {
#if defined(__AVX512F__)
  if (multipliesBf16(in)) return gemmBf16(pairUnitOf(in));
#else
  (void)in;
#endif
  return kGemmFloat32;
}

Run withRoundedOperands(Instruction& in, Run (*prepare)(Instruction&)) {
  const int64_t fractionBits = in.integer("fractionBits");
  if (fractionBits != kTf32 && fractionBits != kBf16)
    throw ProgramError("fractionBits is neither 10 nor 7");
  const Operand a = in.inputs.at(0), b = in.inputs.at(1);
  std::vector<int> ids;
  for (const Operand& operand : in.inputs) ids.push_back(operand.id);
  for (const Operand& operand : in.outputs) ids.push_back(operand.id);
  in.attrs.erase("fractionBits");
  const Run run = prepare(in);

  // Behind the kernel's own scratch: a list of buffers with the rounded ones in their places.
  const int64_t atBuffers = paddedBytes(in.scratchBytes);
  const int64_t count = *std::max_element(ids.begin(), ids.end()) + 1;
  const int64_t atA = atBuffers + paddedBytes(count * static_cast<int64_t>(sizeof(char*)));
  const int64_t atB = atA + paddedBytes(a.type.bytes());
  in.scratchBytes = atB + b.type.bytes();
  return [=](const Step& step) {
    char** const buffers = reinterpret_cast<char**>(step.scratch + atBuffers);
    for (int id : ids) buffers[id] = step.buffers[id];
    const auto round = [&](const Operand& operand, int64_t at) {
      const float* const from = operand.f32(step);
      float* const to = reinterpret_cast<float*>(step.scratch + at);
      forChunks(step.pool, operand.size(), [&](int64_t first, int64_t end, int64_t) {
        roundTo(fractionBits, from + first, end - first, to + first);
      });
      buffers[operand.id] = step.scratch + at;
    };
    round(a, atA);
    round(b, atB);
    run({buffers, buffers, step.row, step.scratch, step.pool, step.stream});
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
