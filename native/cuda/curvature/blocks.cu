// splitBlocks, joinBlocks: a tensor to and from blocks cut along every dimension, a thread to an
// element.
#include "cuda/base/kernels.h"
#include "cuda/base/launch.h"

namespace flatmin {
namespace cuda {

namespace {

constexpr int kMostLevels = 16;

// Blocks of one shape: element i of them, as digits of these extents, stands at base + Σ digit ·
// stride in the tensor.
struct BlockGroup {
  int64_t extents[kMostLevels], strides[kMostLevels];
  int64_t base, size;
  int levels;

  __device__ int64_t offset(int64_t index) const {
    int64_t at = base;
    for (int level = levels - 1; level >= 0; --level) {
      at += index % extents[level] * strides[level];
      index /= extents[level];
    }
    return at;
  }
};

std::vector<BlockGroup> blockGroups(const Instruction& in) {
  std::vector<BlockGroup> groups;
  size_t at = 0;
  for (size_t g = 0; g < in.list("bases").size(); ++g) {
    BlockGroup group = {};
    group.base = static_cast<int64_t>(in.list("bases")[g]);
    group.levels = static_cast<int>(in.list("levels").at(g));
    if (group.levels > kMostLevels) throw ProgramError("blocks of too high an order");
    group.size = 1;
    for (int level = 0; level < group.levels; ++level, ++at) {
      group.extents[level] = static_cast<int64_t>(in.list("extents").at(at));
      group.strides[level] = static_cast<int64_t>(in.list("strides").at(at));
      group.size *= group.extents[level];
    }
    groups.push_back(group);
  }
  return groups;
}

__global__ void splitGroup(BlockGroup group, const float* x, float* blocks) {
  for (int64_t i = globalThread(); i < group.size; i += globalThreads())
    blocks[i] = x[group.offset(i)];
}

}  // namespace

Run op_splitBlocks(Instruction& in) {
  const Operand x = in.inputs.at(0);
  const std::vector<Operand> parts = in.outputs;
  const std::vector<BlockGroup> groups = blockGroups(in);
  return [=](const Step& step) {
    for (size_t g = 0; g < groups.size(); ++g)
      LAUNCH(splitGroup, blocksFor(groups[g].size), kThreads, 0, step.stream, groups[g],
             x.f32(step), parts.at(g).f32(step));
  };
}

namespace {

__global__ void joinGroup(BlockGroup group, const float* blocks, float* y) {
  for (int64_t i = globalThread(); i < group.size; i += globalThreads())
    y[group.offset(i)] = blocks[i];
}

}  // namespace

Run op_joinBlocks(Instruction& in) {
  const Operand y = in.outputs.at(0);
  const std::vector<Operand> parts = in.inputs;
  const std::vector<BlockGroup> groups = blockGroups(in);
  return [=](const Step& step) {
    for (size_t g = 0; g < groups.size(); ++g)
      LAUNCH(joinGroup, blocksFor(groups[g].size), kThreads, 0, step.stream, groups[g],
             parts.at(g).f32(step), y.f32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
