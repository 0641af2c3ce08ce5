// Lion (arXiv 2302.06675): one pass over θ, g, m; formula in formulas/updates.h. m is float32, or
// bfloat16 of all tensors.
#include "cpu/base/bf16.h"
#include "cpu/base/kernels.h"
#include "cpu/base/lanewise.h"
#include "cpu/updates/update.h"
#include "formulas/lion_slots.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

// The elements of a chunk, m in bfloat16.
void lionBf16(const UpdateList<3>& list, const TensorChunks::Chunk& chunk, const Step& step,
              const formulas::LionScalars& s) {
  float* const p = list.data(chunk, 0, step);
  const float* const g = list.data(chunk, 1, step);
  uint16_t* const m =
      list.operands[static_cast<size_t>(chunk.tensor + 2)].data<uint16_t>(step) + chunk.begin;
  const int64_t size = chunk.end - chunk.begin;
  int64_t at = 0;
  for (; at + kLanes <= size; at += kLanes) {
    vf pv = load(p + at), mv = loadBf16(m + at);
    formulas::lion(pv, load(g + at), mv, s, signOf);
    store(p + at, pv);
    storeBf16(m + at, mv);
  }
  if (const int64_t rest = size - at; rest > 0) {
    vf pv = loadTail(p + at, rest), mv = loadBf16(m + at, rest);
    formulas::lion(pv, loadTail(g + at, rest), mv, s, signOf);
    storeTail(p + at, pv, rest);
    storeBf16(m + at, mv, rest);
  }
}

}  // namespace

Run op_lion(Instruction& in) {
  const formulas::LionSlots slots(in);
  const UpdateList<3> list(in);
  if (list.tensors() > 0 && list.operands[2].type.dtype == DType::bf16) {
    return [=](const Step& step) {
      if (standsStill(list.status.i32(step))) return;
      const formulas::LionScalars s = slots.at(step.row);
      step.pool.parallel(list.chunks.count(),
                         [&](int64_t i, int) { lionBf16(list, list.chunks[i], step, s); });
    };
  }
  return [=](const Step& step) {
    const formulas::LionScalars s = slots.at(step.row);
    list.apply(step, [&](vf* v) { formulas::lion(v[0], v[1], v[2], s, signOf); });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
