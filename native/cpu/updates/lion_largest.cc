// Lion-K (arXiv 2310.05898) with K = the sum of the k largest │cᵢ│ of each tensor: ∇K(c) is sign(c)
// on those k, ties to the lower index, and 0 elsewhere. The k-th largest is found digit by digit:
// the bits of │c│, NaN as ∞, are ordered like the numbers.
#include "cpu/base/kernels.h"
#include "cpu/base/lanewise.h"
#include "cpu/updates/update.h"
#include "formulas/elementary.h"
#include "formulas/lion_slots.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

constexpr int kDigits = 256;

// The upper digits of the k-th largest, and how many of the elements that begin with them are among
// the k.
struct Selection {
  uint32_t prefix;
  int64_t left;
};

uint32_t keyOf(float c) {
  return std::min(formulas::bitCast<uint32_t>(c) & 0x7fffffffu, 0x7f800000u);
}

}  // namespace

Run op_lionLargest(Instruction& in) {
  const formulas::LionSlots slots(in);
  const int64_t k = in.integer("k");
  const UpdateList<3> list(in);
  const int64_t chunks = list.chunks.count();
  const int64_t tensors = list.tensors();
  in.scratchBytes = tensors * static_cast<int64_t>(sizeof(Selection)) +
                    (chunks + tensors) * kDigits * static_cast<int64_t>(sizeof(int64_t)) +
                    chunks * kChunk * static_cast<int64_t>(sizeof(float));
  return [=](const Step& step) {
    if (standsStill(list.status.i32(step))) return;
    const formulas::LionScalars s = slots.at(step.row);
    Selection* const selected = reinterpret_cast<Selection*>(step.scratch);
    int64_t* const counts =
        reinterpret_cast<int64_t*>(selected + tensors);  // of each chunk's digits
    int64_t* const totals = counts + chunks * kDigits;   // and each tensor's
    float* const blends = reinterpret_cast<float*>(totals + tensors * kDigits);

    step.pool.parallel(chunks, [&](int64_t i, int) {
      const auto& chunk = list.chunks[i];
      const float* const g = list.data(chunk, 1, step);
      const float* const m = list.data(chunk, 2, step);
      for (int64_t j = 0; j < chunk.end - chunk.begin; ++j)
        blends[i * kChunk + j] = s.beta1 * m[j] + s.rest1 * g[j];
    });
    for (int64_t t = 0; t < tensors; ++t)
      selected[t] = {0, std::min(k, list.operands[static_cast<size_t>(3 * t)].size())};
    for (int shift = 24; shift >= 0; shift -= 8) {
      step.pool.parallel(chunks, [&](int64_t i, int) {
        const auto& chunk = list.chunks[i];
        const uint64_t prefix = selected[chunk.tensor / 3].prefix;
        int64_t* const count = counts + i * kDigits;
        std::fill(count, count + kDigits, 0);
        for (int64_t j = 0; j < chunk.end - chunk.begin; ++j) {
          const uint64_t key = keyOf(blends[i * kChunk + j]);
          if (key >> (shift + 8) == prefix) ++count[key >> shift & (kDigits - 1)];
        }
      });
      std::fill(totals, totals + tensors * kDigits, 0);
      for (int64_t i = 0; i < chunks; ++i)
        for (int d = 0; d < kDigits; ++d)
          totals[list.chunks[i].tensor / 3 * kDigits + d] += counts[i * kDigits + d];
      for (int64_t t = 0; t < tensors; ++t) {
        int digit = kDigits - 1;
        for (; digit > 0 && totals[t * kDigits + digit] < selected[t].left; --digit)
          selected[t].left -= totals[t * kDigits + digit];
        selected[t].prefix = selected[t].prefix << 8 | static_cast<uint32_t>(digit);
      }
    }
    // How many elements equal to the k-th largest each chunk may take, into its first count.
    for (int64_t i = 0; i < chunks; ++i) {
      Selection& of = selected[list.chunks[i].tensor / 3];
      const int64_t taken = std::min(of.left, counts[i * kDigits + (of.prefix & (kDigits - 1))]);
      counts[i * kDigits] = taken;
      of.left -= taken;
    }
    step.pool.parallel(chunks, [&](int64_t i, int) {
      const auto& chunk = list.chunks[i];
      const uint32_t least = selected[chunk.tensor / 3].prefix;
      int64_t equal = counts[i * kDigits];
      float* blend = blends + i * kChunk;
      for (int64_t j = 0; j < chunk.end - chunk.begin; ++j) {
        const uint32_t key = keyOf(blend[j]);
        if (key < least || (key == least && equal-- <= 0)) blend[j] = 0;
      }
      list.applyTo(chunk, step, [&](vf* v) {
        formulas::lion(v[0], v[1], v[2], s, [&](vf) { return signOf(load(blend)); });
        blend += kLanes;
      });
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
