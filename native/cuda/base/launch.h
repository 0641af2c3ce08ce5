// How kernels are launched and take shared memory. Under nvcc these are <<<>>> and __shared__; the
// tests compile the same files for the CPU, where the header of this name in native/emulation has
// its own.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "cuda/base/check.h"
#include "program/kernel.h"
#include "program/memory.h"

#if defined(__CUDACC__)
#define LAUNCH(kernel, grid, block, shared, stream, ...)                             \
  do {                                                                               \
    kernel<<<grid, block, shared, static_cast<cudaStream_t>(stream)>>>(__VA_ARGS__); \
    CUDA_CHECK(cudaGetLastError());                                                  \
  } while (0)
#define SHARED(T, name, extent) __shared__ T name extent
#define DYN_SHARED(T, name)                                      \
  extern __shared__ __align__(16) unsigned char flatminShared[]; \
  T* const name = reinterpret_cast<T*>(flatminShared)
#endif

namespace flatmin {
namespace cuda {

constexpr int kThreads = 256;  // of a block
constexpr int kLanes = 32;
constexpr unsigned kAllLanes = 0xffffffffu;

// Blocks of kThreads for so many threads; beyond it each takes several turns.
constexpr int64_t kMostBlocks = 1 << 14;
inline unsigned blocksFor(int64_t threads) {
  return static_cast<unsigned>(std::min((threads + kThreads - 1) / kThreads, kMostBlocks));
}

__device__ inline int64_t globalThread() { return int64_t{blockIdx.x} * blockDim.x + threadIdx.x; }
__device__ inline int64_t globalThreads() { return int64_t{gridDim.x} * blockDim.x; }

// A list in device memory, uploaded when its instruction is prepared.
template <class T>
class Constant {
 public:
  Constant(const Instruction& in, const std::vector<T>& list)
      : memory_(
            std::make_shared<Memory>(*in.device, static_cast<int64_t>(list.size() * sizeof(T)))),
        size_(static_cast<int64_t>(list.size())) {
    in.device->upload(memory_->data(), list.data(), memory_->bytes());
  }
  const T* data() const { return reinterpret_cast<const T*>(memory_->data()); }
  int64_t size() const { return size_; }

 private:
  std::shared_ptr<Memory> memory_;
  int64_t size_;
};

// Four floats at a 16-byte boundary.
__device__ inline float4 load4(const float* from) { return *reinterpret_cast<const float4*>(from); }
__device__ inline void store4(float* to, float4 x) { *reinterpret_cast<float4*>(to) = x; }

}  // namespace cuda
}  // namespace flatmin
