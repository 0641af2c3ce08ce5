// Lion-K (arXiv 2310.05898) with K = the sum of the k largest │cᵢ│ of each tensor: ∇K(c) is sign(c)
// on those k, ties to the lower index, and 0 elsewhere. The k-th largest is found digit by digit:
// the bits of │c│, NaN as ∞, are ordered like the numbers.
#include "cuda/base/kernels.h"
#include "cuda/updates/lion_rule.h"
#include "cuda/base/totals.h"
#include "cuda/updates/update.h"
#include "formulas/elementary.h"

namespace flatmin {
namespace cuda {

namespace {

constexpr int kDigits = 256;
static_assert(kDigits == kThreads, "a digit to each thread");

// The upper digits of the k-th largest of a tensor, and how many of the elements that begin with
// them are among the k.
struct Selection {
  uint32_t prefix;
  int64_t left;
};

__device__ inline uint32_t keyOf(float c) {
  const uint32_t key = formulas::bitCast<uint32_t>(c) & 0x7fffffffu;
  return key < 0x7f800000u ? key : 0x7f800000u;
}

// c of every element, at the place of its chunk: computed once, so that all passes see the same
// bits.
__global__ void blend(const Chunk<3>* chunks, int64_t count, char* const* table,
                      const int32_t* status, const double* row, formulas::LionSlots slots,
                      float* blends) {
  if (standsStill(status)) return;
  const formulas::LionScalars s = slots.at(row);
  for (int64_t c = blockIdx.x; c < count; c += gridDim.x)
    forQuads<3, 0>(chunks[c], table, [&](int64_t i, int n, float (*v)[3]) {
      for (int l = 0; l < n; ++l)
        blends[placeOf(c, i + l - chunks[c].begin)] = s.beta1 * v[l][2] + s.rest1 * v[l][1];
    });
}

// How often each next digit follows the prefix within each chunk.
__global__ void countDigits(const Chunk<3>* chunks, int64_t count, const int32_t* status,
                            const float* blends, const Selection* selected, int shift,
                            int* counts) {
  if (standsStill(status)) return;
  SHARED(int, digits, [kDigits]);
  for (int64_t c = blockIdx.x; c < count; c += gridDim.x) {
    const uint64_t prefix = selected[chunks[c].index].prefix;
    digits[threadIdx.x] = 0;
    __syncthreads();
    for (int64_t i = threadIdx.x; i < chunks[c].end - chunks[c].begin; i += kThreads) {
      const uint64_t key = keyOf(blends[placeOf(c, i)]);
      if (key >> (shift + 8) == prefix) atomicAdd(&digits[key >> shift & (kDigits - 1)], 1);
    }
    __syncthreads();
    counts[c * kDigits + threadIdx.x] = digits[threadIdx.x];
    __syncthreads();  // before the next chunk
  }
}

// The next digit of each tensor's k-th largest.
__global__ void selectDigit(const Span* spans, int64_t count, const int32_t* status,
                            const int* counts, const Selection* from, Selection* selected) {
  if (standsStill(status)) return;
  SHARED(int64_t, digits, [kDigits]);
  for (int64_t s = blockIdx.x; s < count; s += gridDim.x) {
    int64_t total = 0;
    for (int64_t c = spans[s].begin; c < spans[s].end; ++c)
      total += counts[c * kDigits + threadIdx.x];
    digits[threadIdx.x] = total;
    __syncthreads();
    if (threadIdx.x == 0) {
      Selection of = from[s];
      int digit = kDigits - 1;
      for (; digit > 0 && digits[digit] < of.left; --digit) of.left -= digits[digit];
      selected[s] = {of.prefix << 8 | static_cast<uint32_t>(digit), of.left};
    }
    __syncthreads();
  }
}

// The sum of the values of all threads before this one.
__device__ inline int64_t sumBefore(int64_t value, int64_t* total) {
  SHARED(int64_t, parts, [kThreads]);
  parts[threadIdx.x] = value;
  __syncthreads();
  for (unsigned reach = 1; reach < kThreads; reach *= 2) {
    const int64_t other = threadIdx.x >= reach ? parts[threadIdx.x - reach] : 0;
    __syncthreads();
    parts[threadIdx.x] += other;
    __syncthreads();
  }
  *total = parts[kThreads - 1];
  const int64_t before = parts[threadIdx.x] - value;
  __syncthreads();  // before the next use of the parts
  return before;
}

// How many elements equal to the k-th largest each chunk has, and may take, over its first two
// counts.
__global__ void shareTies(const Span* spans, int64_t count, const int32_t* status,
                          const Selection* selected, int* counts) {
  if (standsStill(status)) return;
  for (int64_t s = blockIdx.x; s < count; s += gridDim.x) {
    const int64_t digit = selected[s].prefix & (kDigits - 1);
    int64_t left = selected[s].left;
    for (int64_t first = spans[s].begin; first < spans[s].end; first += kThreads) {
      const int64_t c = first + threadIdx.x;
      const int64_t ties = c < spans[s].end ? counts[c * kDigits + digit] : 0;
      int64_t total;
      const int64_t rest = left - sumBefore(ties, &total);
      if (c < spans[s].end) {
        counts[c * kDigits] = static_cast<int>(ties);
        counts[c * kDigits + 1] = static_cast<int>(rest < 0 ? 0 : (rest < ties ? rest : ties));
      }
      left -= total;
    }
  }
}

__global__ void lionLargest(const Chunk<3>* chunks, int64_t count, char* const* table,
                            const int32_t* status, const double* row, formulas::LionSlots slots,
                            const Selection* selected, const int* counts, float* blends) {
  if (standsStill(status)) return;
  const formulas::LionScalars s = slots.at(row);
  for (int64_t c = blockIdx.x; c < count; c += gridDim.x) {
    const Chunk<3> chunk = chunks[c];
    const uint32_t least = selected[chunk.index].prefix;
    const int ties = counts[c * kDigits], allowed = counts[c * kDigits + 1];
    const bool ranked = 0 < allowed && allowed < ties;  // of the one chunk where the ties end
    int64_t taken = 0;
    for (int64_t first = 0; first < chunk.end - chunk.begin; first += kThreads) {
      const int64_t i = first + threadIdx.x;
      const bool within = i < chunk.end - chunk.begin;
      const uint32_t key = within ? keyOf(blends[placeOf(c, i)]) : 0;
      int64_t rank = allowed == 0 ? 0 : -1, total = 0;
      if (ranked) rank = taken + sumBefore(within && key == least, &total);
      taken += total;
      if (within && (key < least || (key == least && rank >= allowed))) blends[placeOf(c, i)] = 0;
    }
    __syncthreads();
    forQuads<3, 5>(chunk, table, [&](int64_t i, int n, float (*v)[3]) {
      for (int l = 0; l < n; ++l) {
        const float chosen = blends[placeOf(c, i + l - chunk.begin)];
        formulas::lion(v[l][0], v[l][1], v[l][2], s, [&](float) { return SignOf{}(chosen); });
      }
    });
  }
}

}  // namespace

Run op_lionLargest(Instruction& in) {
  const Operand status = in.inputs.at(0);
  const std::vector<Operand> operands(in.inputs.begin() + 1, in.inputs.end());
  const ChunkList<3> list(in, operands);
  const Constant<Span> spans(in, spansOf(operands, 3, false));
  const formulas::LionSlots slots(in);
  std::vector<Selection> starts;
  for (size_t i = 0; i < operands.size(); i += 3)
    starts.push_back({0, std::min(in.integer("k"), operands[i].size())});
  const Constant<Selection> start(in, starts);
  in.scratchBytes = spans.size() * static_cast<int64_t>(sizeof(Selection)) +
                    list.count() * (kDigits * static_cast<int64_t>(sizeof(int)) +
                                    kChunk * static_cast<int64_t>(sizeof(float)));
  return [=](const Step& step) {
    if (list.count() == 0) return;  // guard
    const int32_t* const still = status.i32(step);
    Selection* const selected = reinterpret_cast<Selection*>(step.scratch);
    int* const counts = reinterpret_cast<int*>(selected + spans.size());
    float* const blends = reinterpret_cast<float*>(counts + list.count() * kDigits);
    LAUNCH(blend, list.blocks(), kThreads, 0, step.stream, list.data(), list.count(), step.table,
           still, step.row, slots, blends);
    for (int shift = 24; shift >= 0; shift -= 8) {
      const Selection* const from = shift == 24 ? start.data() : selected;
      LAUNCH(countDigits, list.blocks(), kThreads, 0, step.stream, list.data(), list.count(), still,
             blends, from, shift, counts);
      LAUNCH(selectDigit, spanBlocks(spans), kThreads, 0, step.stream, spans.data(), spans.size(),
             still, counts, from, selected);
    }
    LAUNCH(shareTies, spanBlocks(spans), kThreads, 0, step.stream, spans.data(), spans.size(),
           still, selected, counts);
    LAUNCH(lionLargest, list.blocks(), kThreads, 0, step.stream, list.data(), list.count(),
           step.table, still, step.row, slots, selected, counts, blends);
  };
}

}  // namespace cuda
}  // namespace flatmin
