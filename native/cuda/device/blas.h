// Matrix products by cuBLAS, which is looked for by name when the first one is prepared: neither
// the build nor the addon's loading needs it. Without it gemm.h does the work.
#pragma once

#include <memory>
#include <string>

#include "cuda/base/launch.h"
#include "cuda/gemm/rounding.h"

namespace flatmin {
namespace cuda {

struct BlasLibrary;

// Row-major C[m × n] = op(A) op(B), summed in float32. Operands are rounded where that is asked
// for, and never by cuBLAS' own choice; it may keep more bits than asked.
struct Product {
  int64_t m, n, k;
  bool transA, transB;
  Rounding rounding;
};

class Blas {
 public:
  // For the current device and one of its streams; nullptr without the library.
  static std::unique_ptr<Blas> open(cudaStream_t stream);
  ~Blas();
  Blas(const Blas&) = delete;
  Blas& operator=(const Blas&) = delete;

  // Whether the shape is within cuBLAS' 32-bit integers, and not empty.
  static bool takes(const Product& product);
  void multiply(const Product& product, const float* a, const float* b, float* c) const;

 private:
  Blas(const BlasLibrary& library, cudaStream_t stream);

  const BlasLibrary& library_;
  void* handle_ = nullptr;
  void* workspace_ = nullptr;
};

// Of the device on which an instruction is prepared.
const Blas* blasOf(const Instruction& in);

}  // namespace cuda
}  // namespace flatmin
