// Lists of tensors in one launch: chunks of them stand in device memory, and a block takes one
// after another. Addresses come from the program's table of buffers.
#pragma once

#include "cuda/base/launch.h"

namespace flatmin {
namespace cuda {

constexpr int64_t kChunk = 8 * kThreads;  // elements

// A run of elements of kWidth tensors of one size.
template <int kWidth>
struct Chunk {
  int ids[kWidth];
  int index;  // of the group in its list
  int64_t begin, end;

  __device__ float* data(int k, char* const* table) const {
    return reinterpret_cast<float*>(table[ids[k]]);
  }
};

// Of groups of kWidth operands.
template <int kWidth>
class ChunkList {
 public:
  ChunkList(const Instruction& in, const std::vector<Operand>& operands)
      : chunks_(in, cut(operands)) {}

  const Chunk<kWidth>* data() const { return chunks_.data(); }
  int64_t count() const { return chunks_.size(); }
  unsigned blocks() const { return static_cast<unsigned>(std::min(count(), kMostBlocks)); }

 private:
  static std::vector<Chunk<kWidth>> cut(const std::vector<Operand>& operands) {
    if (operands.size() % kWidth != 0) throw ProgramError("tensors that do not come in groups");
    std::vector<Chunk<kWidth>> chunks;
    for (size_t first = 0; first < operands.size(); first += kWidth)
      for (int64_t begin = 0; begin < operands[first].size(); begin += kChunk) {
        Chunk<kWidth> chunk;
        for (int k = 0; k < kWidth; ++k) chunk.ids[k] = operands[first + static_cast<size_t>(k)].id;
        chunk.index = static_cast<int>(first) / kWidth;
        chunk.begin = begin;
        chunk.end = std::min(operands[first].size(), begin + kChunk);
        chunks.push_back(chunk);
      }
    return chunks;
  }

  Constant<Chunk<kWidth>> chunks_;
};

// Four elements of each of kWidth tensors at a time: f(index of the first, how many there are,
// float v[4][kWidth]), of which those of the mask kWrites are stored. Values beyond the end are 0.
template <int kWidth, unsigned kWrites, class F>
__device__ void forQuads(const Chunk<kWidth>& chunk, char* const* table, F f) {
  float* data[kWidth];
  for (int k = 0; k < kWidth; ++k) data[k] = chunk.data(k, table);
  for (int64_t i = chunk.begin + 4 * threadIdx.x; i < chunk.end; i += 4 * kThreads) {
    const int count = static_cast<int>(chunk.end - i < 4 ? chunk.end - i : 4);
    float lanes[4][kWidth];
    for (int k = 0; k < kWidth; ++k) {
      if (count == 4) {
        const float4 v = load4(data[k] + i);
        lanes[0][k] = v.x;
        lanes[1][k] = v.y;
        lanes[2][k] = v.z;
        lanes[3][k] = v.w;
      } else {
        for (int l = 0; l < 4; ++l) lanes[l][k] = l < count ? data[k][i + l] : 0.0f;
      }
    }
    f(i, count, lanes);
    for (int k = 0; k < kWidth; ++k) {
      if (!(kWrites >> k & 1)) continue;
      if (count == 4) {
        store4(data[k] + i, {lanes[0][k], lanes[1][k], lanes[2][k], lanes[3][k]});
      } else {
        for (int l = 0; l < 4; ++l)
          if (l < count) data[k][i + l] = lanes[l][k];
      }
    }
  }
}

// One at a time: f(float v[kWidth]), for those beyond the end too.
template <int kWidth, unsigned kWrites, class F>
__device__ void forElements(const Chunk<kWidth>& chunk, char* const* table, F f) {
  forQuads<kWidth, kWrites>(chunk, table, [&](int64_t, int, float(*v)[kWidth]) {
    for (int l = 0; l < 4; ++l) f(v[l]);
  });
}

}  // namespace cuda
}  // namespace flatmin
