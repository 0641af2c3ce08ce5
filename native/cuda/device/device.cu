// A CUDA device: memory, and one stream for copies, kernels and recorded graphs of them.
#include "cuda/device/device.h"

#include <algorithm>

#include "cuda/base/check.h"
#include "cuda/base/kernels.h"
#include "cuda/device/blas.h"
#include "cuda/device/probe.h"
#include "cuda/device/staging.h"
#include "program/out_of_memory.h"

namespace flatmin {
namespace cuda {
namespace {

// A CUDA graph, ready to be launched.
class Graph final : public Recording {
 public:
  Graph(int ordinal, cudaGraph_t graph, cudaStream_t stream) : ordinal_(ordinal), stream_(stream) {
    const std::unique_ptr<CUgraph_st, cudaError_t (*)(cudaGraph_t)> owner(graph, cudaGraphDestroy);
    CUDA_CHECK(cudaGraphInstantiateWithFlags(&graph_, graph, 0));
  }
  ~Graph() override {
    cudaSetDevice(ordinal_);
    cudaGraphExecDestroy(graph_);
  }
  void replay() override {
    CUDA_CHECK(cudaSetDevice(ordinal_));
    CUDA_CHECK(cudaGraphLaunch(graph_, stream_));
  }

 private:
  const int ordinal_;
  const cudaStream_t stream_;
  cudaGraphExec_t graph_ = nullptr;
};

class CudaDevice final : public Device, public Queue {
 public:
  explicit CudaDevice(int ordinal) : ordinal_(entered(ordinal)) {}
  ~CudaDevice() override {
    cudaSetDevice(ordinal_);
    cudaStreamSynchronize(stream_.get());
  }

  char* allocate(int64_t bytes) override {
    enter();
    char* data = nullptr;
    // Room for one element even of an empty buffer: every buffer has an address.
    ofSize(bytes, [&] {
      CUDA_CHECK(cudaMalloc(&data, std::max<size_t>(static_cast<size_t>(bytes), 16)));
    });
    CUDA_CHECK(cudaMemsetAsync(data, 0, static_cast<size_t>(bytes), stream_.get()));
    return data;
  }

  void release(char* data) noexcept override {
    cudaSetDevice(ordinal_);
    cudaStreamSynchronize(stream_.get());  // of which something may still use it
    cudaFree(data);
  }

  void upload(char* to, const void* from, int64_t bytes) override {
    enter();
    staging_.upload(to, static_cast<const char*>(from), static_cast<size_t>(bytes), stream_.get());
  }

  void download(void* to, const char* from, int64_t bytes) override {
    enter();
    staging_.download(static_cast<char*>(to), from, static_cast<size_t>(bytes), stream_.get());
  }

  int64_t reserved() const override { return Staging::kBytes; }
  Queue* queue() override { return this; }
  void* stream() const override { return stream_.get(); }

  char* pin(int64_t bytes) override {
    enter();
    char* data = nullptr;
    ofSize(bytes, [&] { CUDA_CHECK(cudaMallocHost(&data, static_cast<size_t>(bytes))); });
    return data;
  }
  void unpin(char* data) noexcept override {
    cudaSetDevice(ordinal_);
    cudaStreamSynchronize(stream_.get());
    cudaFreeHost(data);
  }

  void copyIn(char* to, const char* pinned, int64_t bytes) override {
    copyAsync(to, pinned, bytes, cudaMemcpyHostToDevice);
  }
  void copyOut(char* pinned, const char* from, int64_t bytes) override {
    copyAsync(pinned, from, bytes, cudaMemcpyDeviceToHost);
  }
  void copy(char* to, const char* from, int64_t bytes) override {
    copyAsync(to, from, bytes, cudaMemcpyDeviceToDevice);
  }

  std::unique_ptr<Recording> record(const std::function<void()>& launches) override {
    enter();
    cudaGraph_t graph = nullptr;
    // Other threads go on as they like meanwhile.
    CUDA_CHECK(cudaStreamBeginCapture(stream_.get(), cudaStreamCaptureModeThreadLocal));
    try {
      launches();
    } catch (...) {
      if (cudaStreamEndCapture(stream_.get(), &graph) == cudaSuccess) cudaGraphDestroy(graph);
      cudaGetLastError();
      throw;
    }
    CUDA_CHECK(cudaStreamEndCapture(stream_.get(), &graph));
    return std::make_unique<Graph>(ordinal_, graph, stream_.get());
  }

  // Looked for when the first product is prepared.
  const Blas* blas() {
    enter();
    if (!blas_) blas_ = Blas::open(stream_.get());
    return blas_.get();
  }

  void mark(int slot) override { marks_[slot].record(stream_.get()); }
  void await(int slot) override { marks_[slot].wait(); }
  void wait() override {
    enter();
    CUDA_CHECK(cudaStreamSynchronize(stream_.get()));
  }

 private:
  // Says of what size it was where there is no memory.
  template <class Allocate>
  static void ofSize(int64_t bytes, Allocate allocate) {
    try {
      allocate();
    } catch (const OutOfMemory& error) {
      const std::string what = error.what();
      throw outOfMemory(static_cast<double>(bytes), what.substr(what.find("cuda")));
    }
  }

  // The runtime's device belongs to the host thread, and runs have threads of their own.
  static int entered(int ordinal) {
    CUDA_CHECK(cudaSetDevice(ordinal));
    return ordinal;
  }
  void enter() const { entered(ordinal_); }

  void copyAsync(char* to, const char* from, int64_t bytes, cudaMemcpyKind kind) {
    enter();
    CUDA_CHECK(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), kind, stream_.get()));
  }

  const int ordinal_;
  Stream stream_;
  Event marks_[kMarks];
  Staging staging_;
  std::unique_ptr<Blas> blas_;
};

}  // namespace

const Blas* blasOf(const Instruction& in) { return static_cast<CudaDevice*>(in.device)->blas(); }

}  // namespace cuda

std::shared_ptr<Store> openCuda(int device) {
  const std::string reason = cudaLacks(device);
  if (!reason.empty()) throw DeviceMissing(reason);
  return std::make_shared<Store>(cuda::kKernels, std::make_unique<cuda::CudaDevice>(device), 1);
}

}  // namespace flatmin
