// Optimizer updates over every tensor of a model in one parallel loop: a chunk is a run of elements
// of one tensor.
#pragma once

#include <vector>

#include "cpu/base/chunks.h"
#include "cpu/base/status.h"

namespace flatmin {
namespace FLATMIN_ISA {

// The chunks of a list of tensors, in order.
class TensorChunks {
 public:
  struct Chunk {
    int tensor;
    int64_t begin, end;
  };

  void add(int tensor, int64_t size) {
    for (int64_t begin = 0; begin < size; begin += kChunk)
      chunks_.push_back({tensor, begin, std::min(size, begin + kChunk)});
  }
  int64_t count() const { return static_cast<int64_t>(chunks_.size()); }
  const Chunk& operator[](int64_t i) const { return chunks_[static_cast<size_t>(i)]; }

 private:
  std::vector<Chunk> chunks_;
};

// Σ of(chunk), added in the chunks' order; `partial` has room for one of each.
template <class Of>
double sumChunks(const Step& step, const TensorChunks& chunks, double* partial, Of of) {
  step.pool.parallel(chunks.count(), [&](int64_t i, int) { partial[i] = of(chunks[i]); });
  double total = 0;
  for (int64_t i = 0; i < chunks.count(); ++i) total += partial[i];
  return total;
}

// Inputs: the status block, then groups of kWidth buffers: parameter, gradient, state.
template <int kWidth>
struct UpdateList {
  Operand status;
  std::vector<Operand> operands;
  TensorChunks chunks;

  explicit UpdateList(const Instruction& instruction) : status(instruction.inputs.at(0)) {
    operands.assign(instruction.inputs.begin() + 1, instruction.inputs.end());
    for (size_t i = 0; i < operands.size(); i += kWidth)
      chunks.add(static_cast<int>(i), operands[i].size());
  }

  // Applies formula(vector of kWidth values) to every element; `formula` gets references to vectors
  // and stores all but the gradient.
  template <class Formula>
  void apply(const Step& step, Formula formula) const {
    if (standsStill(status.i32(step))) return;
    step.pool.parallel(chunks.count(), [&](int64_t i, int) { applyTo(chunks[i], step, formula); });
  }

  // The same to the elements of one chunk, in order.
  template <class Formula>
  void applyTo(const TensorChunks::Chunk& chunk, const Step& step, Formula formula) const {
    float* data[kWidth];
    for (int k = 0; k < kWidth; ++k)
      data[k] = operands[static_cast<size_t>(chunk.tensor + k)].f32(step);
    vf v[kWidth];
    int64_t at = chunk.begin;
    for (; at + kLanes <= chunk.end; at += kLanes) {
      for (int k = 0; k < kWidth; ++k) v[k] = load(data[k] + at);
      formula(v);
      for (int k = 0; k < kWidth; ++k)
        if (k != 1) store(data[k] + at, v[k]);
    }
    if (at < chunk.end) {
      for (int k = 0; k < kWidth; ++k) v[k] = loadTail(data[k] + at, chunk.end - at);
      formula(v);
      for (int k = 0; k < kWidth; ++k)
        if (k != 1) storeTail(data[k] + at, v[k], chunk.end - at);
    }
  }

  int64_t tensors() const { return static_cast<int64_t>(operands.size()) / kWidth; }

  // Operand k of a chunk's tensor, from the chunk's first element on.
  float* data(const TensorChunks::Chunk& chunk, int k, const Step& step) const {
    return operands[static_cast<size_t>(chunk.tensor + k)].f32(step) + chunk.begin;
  }

  // Adds up what was computed for each chunk, in order: totals[tensor] += of[chunk].
  template <class T>
  void total(const T* of, T* totals) const {
    std::fill(totals, totals + tensors(), T());
    for (int64_t i = 0; i < chunks.count(); ++i) totals[chunks[i].tensor / kWidth] += of[i];
  }
};

}  // namespace FLATMIN_ISA
}  // namespace flatmin
