// What .cu files of this project use of CUDA, for a host compiler: stands before the toolkit's
// header of the same name on the include path of the tests.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "block.h"
#include "stream.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

#define LAUNCH(kernel, grid, block, shared, stream, ...)                                        \
  ::flatmin::emulation::launch(#kernel, grid, block, shared, static_cast<cudaStream_t>(stream), \
                               kernel, ##__VA_ARGS__)

#define DYN_SHARED(T, name) \
  T* const name =           \
      static_cast<T*>(::flatmin::emulation::currentBlock().dynamicShared({__FILE__, __LINE__}))

#define SHARED(T, name, extent)           \
  auto& name = *static_cast<T(*) extent>( \
      ::flatmin::emulation::currentBlock().shared(sizeof(T extent), {__FILE__, __LINE__}))

struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};

// Barriers and warp operations; the place of the call is the caller's.
#define FLATMIN_SITE const char *file = __builtin_FILE(), int line = __builtin_LINE()

inline void __syncthreads(FLATMIN_SITE) {
  ::flatmin::emulation::currentBlock().barrier({file, line}, false);
}
inline int __syncthreads_or(int vote, FLATMIN_SITE) {
  return ::flatmin::emulation::currentBlock().barrier({file, line}, vote != 0);
}
inline void __syncwarp(unsigned mask = ~0u, FLATMIN_SITE) {
  ::flatmin::emulation::currentBlock().warp(::flatmin::emulation::WarpOp::sync, {file, line}, mask,
                                            0, 0);
}
inline unsigned __ballot_sync(unsigned mask, int vote, FLATMIN_SITE) {
  return static_cast<unsigned>(::flatmin::emulation::currentBlock().warp(
      ::flatmin::emulation::WarpOp::ballot, {file, line}, mask, vote != 0, 0));
}
inline int __any_sync(unsigned mask, int vote, FLATMIN_SITE) {
  return __ballot_sync(mask, vote, file, line) != 0;
}
inline int __all_sync(unsigned mask, int vote, FLATMIN_SITE) {
  return __ballot_sync(mask, vote, file, line) == mask;
}

template <class T>
inline T __shfl_sync(unsigned mask, T value, int source, FLATMIN_SITE) {
  static_assert(sizeof(T) <= sizeof(uint64_t), "a shuffle moves up to 8 bytes");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = ::flatmin::emulation::currentBlock().warp(::flatmin::emulation::WarpOp::shuffle,
                                                   {file, line}, mask, bits, source & 31);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

namespace flatmin {
namespace emulation {
// Threads of a warp are neighbours in x, then y, then z.
inline int laneId() {
  return static_cast<int>((threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) %
                          32);
}
}  // namespace emulation
}  // namespace flatmin

template <class T>
inline T __shfl_down_sync(unsigned mask, T value, int delta, FLATMIN_SITE) {
  const int lane = ::flatmin::emulation::laneId();
  return __shfl_sync(mask, value, lane + delta < 32 ? lane + delta : lane, file, line);
}
template <class T>
inline T __shfl_xor_sync(unsigned mask, T value, int bits, FLATMIN_SITE) {
  return __shfl_sync(mask, value, ::flatmin::emulation::laneId() ^ bits, file, line);
}
#undef FLATMIN_SITE

// Integers alone.
inline int atomicAdd(int* at, int value) { return __atomic_fetch_add(at, value, __ATOMIC_RELAXED); }
inline int atomicMin(int* at, int value) {
  const int old = __atomic_load_n(at, __ATOMIC_RELAXED);
  if (value < old) __atomic_store_n(at, value, __ATOMIC_RELAXED);  // nobody comes in between
  return old;
}
inline int atomicMax(int* at, int value) {
  const int old = __atomic_load_n(at, __ATOMIC_RELAXED);
  if (value > old) __atomic_store_n(at, value, __ATOMIC_RELAXED);
  return old;
}

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidDevice = 101,
  cudaErrorInvalidResourceHandle = 400,
  cudaErrorIllegalAddress = 700,
  cudaErrorLaunchFailure = 719,
  cudaErrorStreamCaptureUnsupported = 900,
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };
constexpr unsigned cudaStreamNonBlocking = 1;
constexpr unsigned cudaEventBlockingSync = 1, cudaEventDisableTiming = 2;
constexpr int CUDART_VERSION = 13000;
using cudaStream_t = flatmin::emulation::Stream*;
using cudaEvent_t = flatmin::emulation::Event*;
using cudaGraph_t = CUgraph_st*;
using cudaGraphExec_t = CUgraph_st*;

struct cudaDeviceProp {
  char name[256];
  size_t totalGlobalMem;
  int major, minor;
};

const char* cudaGetErrorName(cudaError_t error);
const char* cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetLastError();
cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaMalloc(void** data, size_t bytes);
cudaError_t cudaFree(void* data);
cudaError_t cudaMallocHost(void** data, size_t bytes);
cudaError_t cudaFreeHost(void* data);
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* data, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* exec, cudaGraph_t graph,
                                          unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);

namespace flatmin {
namespace emulation {
// The next call of the runtime that can fail returns this.
void failNext(cudaError_t error);
cudaError_t takeFailure();
}  // namespace emulation
}  // namespace flatmin

template <class T>
inline cudaError_t cudaMalloc(T** data, size_t bytes) {
  return cudaMalloc(reinterpret_cast<void**>(data), bytes);
}
template <class T>
inline cudaError_t cudaMallocHost(T** data, size_t bytes) {
  return cudaMallocHost(reinterpret_cast<void**>(data), bytes);
}
