// Lists the CUDA devices and runs one kernel on the first: a driver may be older than the runtime
// that is linked in, and a card older than the architectures compiled for.
#include "cuda/device/probe.h"

#include "cuda/base/launch.h"

namespace flatmin {
namespace {

constexpr int kAnswer = 42;

__global__ void answer(int* out) { *out = kAnswer; }

// 13000 is "13.0"
std::string versionName(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string runKernel(int device) {
  const std::string which = "device " + std::to_string(device);
  int got = 0;
  try {
    CUDA_CHECK(cudaSetDevice(device));
    int* out = nullptr;
    CUDA_CHECK(cudaMalloc(&out, sizeof *out));
    const std::unique_ptr<int, cudaError_t (*)(void*)> owner(out, cudaFree);
    LAUNCH(answer, 1, 1, 0, nullptr, out);
    CUDA_CHECK(cudaMemcpy(&got, out, sizeof got, cudaMemcpyDeviceToHost));
  } catch (const std::exception& error) {
    return which + " runs no kernel of this build: " + error.what();
  }
  return got == kAnswer ? "" : which + " returned a wrong result";
}

std::vector<CudaDevice> listDevices(int count) {
  std::vector<CudaDevice> devices;
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp device;
    if (cudaGetDeviceProperties(&device, i) != cudaSuccess) continue;
    devices.push_back({device.name, device.totalGlobalMem,
                       std::to_string(device.major) + "." + std::to_string(device.minor)});
  }
  return devices;
}

}  // namespace

CudaReport probeCuda() {
  int driver = 0;
  cudaDriverGetVersion(&driver);
  CudaReport report{true, versionName(CUDART_VERSION), "", {}, ""};
  if (driver > 0) report.driver = versionName(driver);
  report.reason = cudaLacks(0);
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess) report.devices = listDevices(count);
  cudaGetLastError();  // a failed probe must not show up in a later check
  return report;
}

std::string cudaLacks(int device) {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  cudaGetLastError();
  if (error != cudaSuccess) {
    int driver = 0;
    cudaDriverGetVersion(&driver);
    const std::string what = cudaGetErrorString(error);
    return driver > 0 ? what : "there is no NVIDIA driver (" + what + ")";
  }
  if (count == 0) return "no CUDA device";
  if (device < 0 || device >= count)
    return "there " +
           std::string(count == 1 ? "is 1 CUDA device"
                                  : "are " + std::to_string(count) + " CUDA devices") +
           ", counted from 0";
  return runKernel(device);
}

}  // namespace flatmin
