// A CUDA device: memory, and one stream for copies and kernels.
#include "cuda/device.h"

#include <algorithm>
#include <cstring>

#include "cuda/check.h"
#include "cuda/kernels.h"
#include "cuda/probe.h"

namespace flatmin {
namespace cuda {
namespace {

class CudaDevice final : public Device {
 public:
  explicit CudaDevice(int ordinal) : ordinal_(ordinal) {
    enter();
    CUDA_CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  }
  ~CudaDevice() override {
    cudaSetDevice(ordinal_);
    cudaFree(row_);
    cudaStreamDestroy(stream_);
  }

  char* allocate(int64_t bytes) override {
    enter();
    char* data = nullptr;
    // Room for one element even of an empty buffer: every buffer has an address.
    CUDA_CHECK(cudaMalloc(&data, std::max<size_t>(static_cast<size_t>(bytes), 16)));
    CUDA_CHECK(cudaMemsetAsync(data, 0, static_cast<size_t>(bytes), stream_));
    return data;
  }

  void release(char* data) noexcept override {
    cudaSetDevice(ordinal_);
    cudaFree(data);
  }

  void upload(char* to, const void* from, int64_t bytes) override {
    if (bytes == 0) return;  // an empty array may have no address
    enter();
    CUDA_CHECK(
        cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyHostToDevice, stream_));
  }

  void download(void* to, const char* from, int64_t bytes) override {
    if (bytes == 0) return;
    enter();
    CUDA_CHECK(
        cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToHost, stream_));
  }

  void wait() override {
    enter();
    CUDA_CHECK(cudaStreamSynchronize(stream_));
  }

  const double* place(const double* row, int64_t count) override {
    enter();
    if (count > rowLength_) {
      CUDA_CHECK(cudaFree(row_));
      row_ = nullptr;
      CUDA_CHECK(cudaMalloc(&row_, static_cast<size_t>(count) * sizeof(double)));
      rowLength_ = count;
    }
    upload(reinterpret_cast<char*>(row_), row, count * static_cast<int64_t>(sizeof(double)));
    return row_;
  }

  bool isHost() const override { return false; }
  void* stream() const override { return stream_; }

 private:
  // The runtime's device belongs to the host thread, and runs have threads of their own.
  void enter() const { CUDA_CHECK(cudaSetDevice(ordinal_)); }

  const int ordinal_;
  cudaStream_t stream_ = nullptr;
  double* row_ = nullptr;
  int64_t rowLength_ = 0;
};

}  // namespace
}  // namespace cuda

std::shared_ptr<Store> openCuda(int device) {
  const CudaReport report = probeCuda();
  const int count = static_cast<int>(report.devices.size());
  if (!report.reason.empty()) throw DeviceMissing("no CUDA device: " + report.reason);
  if (device < 0 || device >= count)
    throw DeviceMissing("no CUDA device " + std::to_string(device) + " of " +
                        std::to_string(count));
  return std::make_shared<Store>(cuda::kKernels, std::make_unique<cuda::CudaDevice>(device), 1);
}

}  // namespace flatmin
