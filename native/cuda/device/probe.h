// What this build and this machine offer of CUDA.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace flatmin {

struct CudaDevice {
  std::string name;
  uint64_t memory;         // bytes
  std::string capability;  // "9.0"
};

struct CudaReport {
  bool compiled;        // the kernels are in this build
  std::string toolkit;  // CUDA version of the build's runtime, empty without one
  std::string driver;   // newest CUDA version that the driver runs, empty without a driver
  std::vector<CudaDevice> devices;
  std::string reason;  // why no device can be used; empty when one can
};

CudaReport probeCuda();

struct BlasReport {
  std::string path;    // of the cuBLAS in use, empty without one
  std::string reason;  // why there is none
};

BlasReport probeBlas();

// Why the device of this number cannot be used; empty when it can.
std::string cudaLacks(int device);

}  // namespace flatmin
