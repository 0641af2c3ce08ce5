// What native/cuda/device/blas.cu uses of cuBLAS, for matrices by columns in emulated device
// memory: the tests name their own addon as the library.
#include <cstddef>

#include "cuda/gemm/rounding.h"
#include "cuda_runtime.h"

namespace {

struct Handle {
  cudaStream_t stream;
};

constexpr int kInvalidValue = 7;

}  // namespace

extern "C" {
int cublasCreate_v2(Handle** handle) {
  *handle = new Handle{nullptr};
  return 0;
}
int cublasDestroy_v2(Handle* handle) {
  delete handle;
  return 0;
}
int cublasSetStream_v2(Handle* handle, cudaStream_t stream) {
  handle->stream = stream;
  return 0;
}
int cublasSetWorkspace_v2(Handle*, void*, size_t) { return 0; }

int cublasGemmEx(Handle* handle, int opA, int opB, int m, int n, int k, const void* alpha,
                 const void* a, int typeA, int lda, const void* b, int typeB, int ldb,
                 const void* beta, void* c, int typeC, int ldc, int compute, int) {
  // Of what a caller may ask for only this is done; leading dimensions are checked as cuBLAS does.
  const bool asked = *static_cast<const float*>(alpha) == 1 &&
                     *static_cast<const float*>(beta) == 0 && typeA == 0 && typeB == 0 &&
                     typeC == 0 && (compute == 68 || compute == 75 || compute == 77);
  if (!asked || lda < (opA ? k : m) || ldb < (opB ? n : k) || ldc < m) return kInvalidValue;
  using namespace flatmin::cuda;
  const Rounding rounding = compute == 68 ? Rounding{} : compute == 75 ? kBf16 : kTf32;
  const float* const x = static_cast<const float*>(a);
  const float* const y = static_cast<const float*>(b);
  float* const z = static_cast<float*>(c);
  const bool taken = flatmin::emulation::enqueue(handle->stream, [=] {
    for (int j = 0; j < n; ++j)
      for (int i = 0; i < m; ++i) {
        double sum = 0;
        for (int p = 0; p < k; ++p)
          sum += static_cast<double>(
                     rounding(opA ? x[p + int64_t{i} * lda] : x[i + int64_t{p} * lda])) *
                 rounding(opB ? y[j + int64_t{p} * ldb] : y[p + int64_t{j} * ldb]);
        z[i + int64_t{j} * ldc] = static_cast<float>(sum);
      }
  });
  return taken ? 0 : kInvalidValue;
}
}
