// Every call of the CUDA runtime is checked, and its failure a typed error with expression, file
// and line.
#pragma once

#include <cuda_runtime.h>

#include <string>

#include "program/device.h"

#define CUDA_CHECK(call) ::flatmin::cuda::check(call, #call, __FILE__, __LINE__)

namespace flatmin {
namespace cuda {

inline void check(cudaError_t error, const char* call, const char* file, int line) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // must not show up in a later check
  const std::string path = file;
  const std::string what = std::string(cudaGetErrorName(error)) + ": " + cudaGetErrorString(error) +
                           " (" + call + " at " + path.substr(path.rfind('/') + 1) + ":" +
                           std::to_string(line) + ")";
  if (error == cudaErrorMemoryAllocation)
    throw OutOfMemory("out of device memory: use a smaller batch, model or dataset; " + what);
  throw DeviceLost(what);
}

}  // namespace cuda
}  // namespace flatmin
