// Stands in for all of native/cuda in a build without nvcc.
#include "cuda/device/device.h"
#include "cuda/device/probe.h"

namespace flatmin {

namespace {
constexpr char kReason[] = "this build has no CUDA kernels";
}

CudaReport probeCuda() { return {false, "", "", {}, kReason}; }

BlasReport probeBlas() { return {"", kReason}; }

std::string cudaLacks(int) { return kReason; }

std::shared_ptr<Store> openCuda(int) { throw DeviceMissing(kReason); }

}  // namespace flatmin
