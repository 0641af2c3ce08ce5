#include "cuda/device/blas.h"

#include <dlfcn.h>

#include <cstdlib>
#include <limits>

#include "cuda/device/probe.h"

namespace flatmin {
namespace cuda {

namespace {

// Declared here, so that no header of cuBLAS is needed; values of its enumerations.
using Handle = void*;
constexpr int kSuccess = 0, kAllocFailed = 3;
constexpr int kPlain = 0, kTransposed = 1;  // cublasOperation_t
constexpr int kFloat = 0;                   // CUDA_R_32F
// CUBLAS_COMPUTE_32F, _FAST_TF32 and _FAST_16BF
constexpr int kComputeFloat = 68, kComputeTf32 = 77, kComputeBf16 = 75;
constexpr int kDefaultAlgorithm = -1;  // CUBLAS_GEMM_DEFAULT
constexpr size_t kWorkspaceBytes = 8u << 20;

// One of its own: what cuBLAS would allocate by itself it might allocate while a graph is recorded,
// and results could depend on what it gets.
#if defined(__CUDACC__)
constexpr const char* kNames[] = {"libcublas.so.13", "libcublas.so.12",
                                  "/usr/local/cuda/lib64/libcublas.so.13",
                                  "/usr/local/cuda/lib64/libcublas.so.12"};
#else
// The device is emulated, and the real library would look for another.
constexpr const char* kNames[] = {""};
#endif

}  // namespace

struct BlasLibrary {
  int (*create)(Handle*) = nullptr;
  int (*destroy)(Handle) = nullptr;
  int (*setStream)(Handle, cudaStream_t) = nullptr;
  int (*setWorkspace)(Handle, void*, size_t) = nullptr;
  int (*gemmEx)(Handle, int opA, int opB, int m, int n, int k, const void* alpha, const void* a,
                int typeA, int lda, const void* b, int typeB, int ldb, const void* beta, void* c,
                int typeC, int ldc, int compute, int algorithm) = nullptr;
  std::string path, reason;

  bool load(const char* name) {
    if (!*name) return false;
    void* const library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!library) return false;
    const bool whole = find(library, "cublasCreate_v2", create) &&
                       find(library, "cublasDestroy_v2", destroy) &&
                       find(library, "cublasSetStream_v2", setStream) &&
                       find(library, "cublasSetWorkspace_v2", setWorkspace) &&
                       find(library, "cublasGemmEx", gemmEx);
    Dl_info info;
    if (whole && dladdr(reinterpret_cast<void*>(create), &info)) path = info.dli_fname;
    return whole;
  }

 private:
  template <class F>
  static bool find(void* library, const char* name, F& function) {
    function = reinterpret_cast<F>(dlsym(library, name));
    return function != nullptr;
  }
};

namespace {

BlasLibrary loadLibrary() {
  BlasLibrary library;
  const char* const chosen = std::getenv("FLATMIN_CUBLAS");
  if (chosen && *chosen) {
    if (std::string(chosen) == "off")
      library.reason = "FLATMIN_CUBLAS=off";
    else if (!library.load(chosen))
      library.reason = std::string("FLATMIN_CUBLAS names ") + chosen + ", which is not cuBLAS";
    return library;
  }
  for (const char* name : kNames)
    if (library.load(name)) return library;
  library.reason = "libcublas.so.13 and libcublas.so.12 not found";
  return library;
}

// Loaded once in a process, and never changed.
const BlasLibrary& theLibrary() {
  static const BlasLibrary library = loadLibrary();
  return library;
}

void check(int status, const char* what) {
  if (status == kSuccess) return;
  const std::string message = std::string(what) + " failed with status " + std::to_string(status);
  if (status == kAllocFailed) throw OutOfMemory("out of device memory: " + message);
  throw DeviceLost(message);
}

}  // namespace

std::unique_ptr<Blas> Blas::open(cudaStream_t stream) {
  const BlasLibrary& library = theLibrary();
  if (!library.reason.empty()) return nullptr;
  return std::unique_ptr<Blas>(new Blas(library, stream));
}

Blas::Blas(const BlasLibrary& library, cudaStream_t stream) : library_(library) {
  check(library.create(&handle_), "cublasCreate");
  try {
    CUDA_CHECK(cudaMalloc(&workspace_, kWorkspaceBytes));
    check(library.setStream(handle_, stream), "cublasSetStream");
    // After the stream, which takes it away.
    check(library.setWorkspace(handle_, workspace_, kWorkspaceBytes), "cublasSetWorkspace");
  } catch (...) {
    library.destroy(handle_);
    cudaFree(workspace_);
    throw;
  }
}

Blas::~Blas() {
  library_.destroy(handle_);
  cudaFree(workspace_);
}

bool Blas::takes(const Product& product) {
  constexpr int64_t kMost = std::numeric_limits<int>::max();
  const auto fits = [](int64_t size) { return size > 0 && size <= kMost; };
  return fits(product.m) && fits(product.n) && fits(product.k);
}

namespace {

int computeType(Rounding rounding) {
  if (rounding.dropped == kTf32.dropped) return kComputeTf32;
  return rounding.dropped == kBf16.dropped ? kComputeBf16 : kComputeFloat;
}

}  // namespace

// cuBLAS' matrices stand by columns: what it sees are the transposes, Cᵀ = op(B)ᵀ op(A)ᵀ.
void Blas::multiply(const Product& p, const float* a, const float* b, float* c) const {
  const float one = 1, zero = 0;
  const int m = static_cast<int>(p.m), n = static_cast<int>(p.n), k = static_cast<int>(p.k);
  check(library_.gemmEx(handle_, p.transB ? kTransposed : kPlain, p.transA ? kTransposed : kPlain,
                        n, m, k, &one, b, kFloat, p.transB ? k : n, a, kFloat, p.transA ? m : k,
                        &zero, c, kFloat, n, computeType(p.rounding), kDefaultAlgorithm),
        "cublasGemmEx");
}

}  // namespace cuda

BlasReport probeBlas() {
  const cuda::BlasLibrary& library = cuda::theLibrary();
  return {library.reason.empty() ? library.path : "", library.reason};
}

}  // namespace flatmin
