// Lists the CUDA devices and runs one kernel on the first: a driver may be older than the runtime
// that is linked in, and a card older than the architectures compiled for.
#include "cuda/probe.h"

#include "cuda/launch.h"

namespace flatmin {
namespace {

constexpr int kAnswer = 42;

__global__ void answer(int* out) { *out = kAnswer; }

// 13000 is "13.0"
std::string versionName(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string runKernel() {
  int got = 0;
  try {
    int* out = nullptr;
    CUDA_CHECK(cudaMalloc(&out, sizeof *out));
    const std::unique_ptr<int, cudaError_t (*)(void*)> owner(out, cudaFree);
    LAUNCH(answer, 1, 1, 0, nullptr, out);
    CUDA_CHECK(cudaMemcpy(&got, out, sizeof got, cudaMemcpyDeviceToHost));
  } catch (const std::exception& error) {
    return std::string("the first device runs no kernel of this build: ") + error.what();
  }
  return got == kAnswer ? "" : "the first device returned a wrong result";
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
  int driver = 0, count = 0;
  cudaDriverGetVersion(&driver);
  CudaReport report{true, versionName(CUDART_VERSION), "", {}, ""};
  if (driver > 0) report.driver = versionName(driver);

  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaSuccess && count > 0) {
    report.devices = listDevices(count);
    report.reason = runKernel();
  } else {
    report.reason = error == cudaSuccess ? "no CUDA device" : cudaGetErrorString(error);
  }
  cudaGetLastError();  // a failed probe must not show up in a later check
  return report;
}

}  // namespace flatmin
