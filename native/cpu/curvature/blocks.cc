// splitBlocks, joinBlocks: a tensor to and from blocks cut along every dimension. The last level is
// a run in memory.
#include <cstring>

#include "cpu/base/chunks.h"
#include "cpu/base/kernels.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

// Blocks of one shape: element i of them, as digits of these extents, stands at base + Σ digit ·
// stride in the tensor.
struct Group {
  std::vector<int64_t> extents, strides;
  int64_t base, size = 1;
};

std::vector<Group> blockGroups(const Instruction& in) {
  std::vector<Group> groups;
  size_t at = 0;
  for (size_t g = 0; g < in.list("bases").size(); ++g) {
    Group group;
    group.base = static_cast<int64_t>(in.list("bases")[g]);
    for (int64_t left = static_cast<int64_t>(in.list("levels").at(g)); left > 0; --left, ++at) {
      group.extents.push_back(static_cast<int64_t>(in.list("extents").at(at)));
      group.strides.push_back(static_cast<int64_t>(in.list("strides").at(at)));
      group.size *= group.extents.back();
    }
    groups.push_back(group);
  }
  return groups;
}

// copy(offset in the tensor, index in the group, length) for runs that cover a chunk of the group.
template <class Copy>
void forRuns(const Group& group, int64_t begin, int64_t end, Copy copy) {
  const bool runs = !group.strides.empty() && group.strides.back() == 1;
  const int64_t length = runs ? group.extents.back() : 1;
  for (int64_t index = begin; index < end;) {
    int64_t offset = group.base, rest = index;
    for (size_t level = group.extents.size(); level-- > 0;) {
      offset += rest % group.extents[level] * group.strides[level];
      rest /= group.extents[level];
    }
    const int64_t run = std::min(end - index, length - index % length);
    copy(offset, index, run);
    index += run;
  }
}

template <class Copy>
Run blocksRun(const Instruction& in, const Operand& whole, const std::vector<Operand>& parts,
              Copy copy) {
  const std::vector<Group> groups = blockGroups(in);
  return [=](const Step& step) {
    float* const tensor = whole.f32(step);
    for (size_t g = 0; g < groups.size(); ++g) {
      float* const blocks = parts.at(g).f32(step);
      forChunks(step.pool, groups[g].size, [&](int64_t begin, int64_t end, int64_t) {
        forRuns(groups[g], begin, end, [&](int64_t offset, int64_t index, int64_t length) {
          copy(tensor + offset, blocks + index, sizeof(float) * static_cast<size_t>(length));
        });
      });
    }
  };
}

}  // namespace

Run op_splitBlocks(Instruction& in) {
  return blocksRun(in, in.inputs.at(0), in.outputs,
                   [](float* x, float* block, size_t bytes) { std::memcpy(block, x, bytes); });
}

Run op_joinBlocks(Instruction& in) {
  return blocksRun(in, in.outputs.at(0), in.inputs,
                   [](float* x, float* block, size_t bytes) { std::memcpy(x, block, bytes); });
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
