// Memory, copies and devices of the runtime API, over host memory.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "cuda_runtime.h"
#include "memory.h"

namespace flatmin {
namespace emulation {

namespace {

constexpr int kDevices = 2;
constexpr size_t kAlignment = 256;
constexpr unsigned char kGuard = 0xa5;
#if defined(__SANITIZE_ADDRESS__)
constexpr size_t kBefore = 0, kAfter = 0;  // red zones do it
#else
constexpr size_t kBefore = kAlignment, kAfter = 64;
#endif

std::mutex mutex;
std::map<char*, size_t> allocations;  // bytes by address
thread_local cudaError_t injected = cudaSuccess;

bool guardsHold(const char* data, size_t bytes) {
  static const std::vector<unsigned char> guard(std::max(kBefore, kAfter), kGuard);
  return std::memcmp(data - kBefore, guard.data(), kBefore) == 0 &&
         std::memcmp(data + bytes, guard.data(), kAfter) == 0;
}

}  // namespace

void failNext(cudaError_t error) { injected = error; }
cudaError_t takeFailure() { return std::exchange(injected, cudaSuccess); }

void checkAllocations(const char* kernel) {
  std::lock_guard<std::mutex> lock(mutex);
  for (const auto& [data, bytes] : allocations)
    if (!guardsHold(data, bytes))
      throw Fault(std::string(kernel) + ": a write beside a buffer of " + std::to_string(bytes) +
                  " bytes");
}

int64_t allocatedBytes() {
  std::lock_guard<std::mutex> lock(mutex);
  int64_t total = 0;
  for (const auto& allocation : allocations) total += static_cast<int64_t>(allocation.second);
  return total;
}

}  // namespace emulation
}  // namespace flatmin

using namespace flatmin::emulation;

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorInvalidValue:
      return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidDevice:
      return "cudaErrorInvalidDevice";
    case cudaErrorInvalidResourceHandle:
      return "cudaErrorInvalidResourceHandle";
    case cudaErrorIllegalAddress:
      return "cudaErrorIllegalAddress";
    case cudaErrorLaunchFailure:
      return "cudaErrorLaunchFailure";
    case cudaErrorStreamCaptureUnsupported:
      return "cudaErrorStreamCaptureUnsupported";
  }
  return "unknown error";
}
const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaErrorLaunchFailure ? lastFault() : cudaGetErrorName(error);
}
cudaError_t cudaGetLastError() { return takeFailure(); }

cudaError_t cudaDriverGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int* count) {
  *count = kDevices;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = {"emulation on the CPU", 0, 0, 0};
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** data, size_t bytes) {
  if (isCapturing()) return cudaErrorStreamCaptureUnsupported;
  const cudaError_t failure = takeFailure();
  if (failure != cudaSuccess) return failure;
  void* block = nullptr;
  if (posix_memalign(&block, kAlignment, kBefore + bytes + kAfter) != 0)
    return cudaErrorMemoryAllocation;
  std::memset(block, kGuard, kBefore + bytes + kAfter);
  *data = static_cast<char*>(block) + kBefore;
  std::lock_guard<std::mutex> lock(mutex);
  allocations[static_cast<char*>(*data)] = bytes;
  return cudaSuccess;
}

cudaError_t cudaFree(void* data) {
  if (!data) return cudaSuccess;
  std::lock_guard<std::mutex> lock(mutex);
  if (allocations.erase(static_cast<char*>(data)) == 0) return cudaErrorInvalidValue;
  std::free(static_cast<char*>(data) - kBefore);
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void** data, size_t bytes) { return cudaMalloc(data, bytes); }
cudaError_t cudaFreeHost(void* data) { return cudaFree(data); }

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind) {
  const cudaError_t failure = takeFailure();
  if (failure == cudaSuccess) std::memcpy(to, from, bytes);
  return failure;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind,
                            cudaStream_t stream) {
  const cudaError_t failure = takeFailure();
  if (failure != cudaSuccess) return failure;
  const bool taken = enqueue(stream, [=] { std::memcpy(to, from, bytes); });
  return taken ? cudaSuccess : cudaErrorInvalidResourceHandle;
}
cudaError_t cudaMemsetAsync(void* data, int value, size_t bytes, cudaStream_t stream) {
  const bool taken = enqueue(stream, [=] { std::memset(data, value, bytes); });
  return taken ? cudaSuccess : cudaErrorInvalidResourceHandle;
}
