// Sums of a warp or a block in a fixed order. All threads of it take part and get the result.
#pragma once

#include "cuda/base/launch.h"

namespace flatmin {
namespace cuda {

__device__ inline int laneId() { return static_cast<int>(threadIdx.x % kLanes); }
// The warp's number in the grid, and how many there are: for kernels with a row to a warp.
__device__ inline int64_t globalWarp() { return globalThread() / kLanes; }
__device__ inline int64_t globalWarps() { return globalThreads() / kLanes; }

inline unsigned blocksForWarps(int64_t warps) { return blocksFor(warps * kLanes); }

__device__ inline double warpSum(double x) {
  for (int d = kLanes / 2; d > 0; d /= 2) x += __shfl_xor_sync(kAllLanes, x, d);
  return x;
}

// Of blocks of kThreads.
__device__ inline double blockSum(double x) {
  SHARED(double, parts, [kThreads / kLanes]);
  x = warpSum(x);
  if (laneId() == 0) parts[threadIdx.x / kLanes] = x;
  __syncthreads();
  double total = 0;
  for (int w = 0; w < kThreads / kLanes; ++w) total += parts[w];
  __syncthreads();  // before the next use of the parts
  return total;
}

}  // namespace cuda
}  // namespace flatmin
