// Functions of batches of symmetric matrices, a matrix to a block: eigh, inverseRoot.
#include "cuda/base/kernels.h"
#include "cuda/linalg/inverse_root.h"

namespace flatmin {
namespace cuda {

namespace {

__global__ void __launch_bounds__(kThreads) eighs(int64_t count, int64_t n, const float* matrices,
                                                  double* scratch, float* values, float* vectors) {
  double* const a = scratch + blockIdx.x * (2 * n * n + rotationNumbers(n));
  double* const v = a + n * n;
  for (int64_t k = blockIdx.x; k < count; k += gridDim.x) {
    const Symmetric source{matrices + k * n * n, n, 1, false};
    float* const rows = vectors + k * n * n;
    if (!lowerIsFinite(source)) {
      for (int64_t i = threadIdx.x; i < n; i += kThreads) values[k * n + i] = NAN;
      for (int64_t i = threadIdx.x; i < n * n; i += kThreads) rows[i] = NAN;
      continue;
    }
    fillSymmetric(source, 1.0, 0.0, a);
    const double sound = blockEigh(a, n, v, v + n * n) ? 1 : NAN;
    for (int64_t i = threadIdx.x; i < n; i += kThreads) {
      const int64_t rank = rankOf(a, n, i);
      values[k * n + rank] = static_cast<float>(sound * a[i * n + i]);
      for (int64_t c = 0; c < n; ++c)
        rows[rank * n + c] = static_cast<float>(sound * v[i * n + c]);
    }
    __syncthreads();  // before the next matrix
  }
}

}  // namespace

Run op_eigh(Instruction& in) {
  const Operand matrices = in.inputs.at(0);
  const Operand values = in.outputs.at(0), vectors = in.outputs.at(1);
  const int64_t count = matrices.dim(0), n = matrices.dim(1);
  const int64_t bytes = (2 * n * n + rotationNumbers(n)) * static_cast<int64_t>(sizeof(double));
  const unsigned blocks = blocksForMatrices(count, bytes);
  in.scratchBytes = blocks * bytes;
  if (count * n == 0) return [](const Step&) {};
  return [=](const Step& step) {
    LAUNCH(eighs, blocks, kThreads, 0, step.stream, count, n, matrices.f32(step),
           reinterpret_cast<double*>(step.scratch), values.f32(step), vectors.f32(step));
  };
}

namespace {

__global__ void __launch_bounds__(kThreads)
    inverseRootsOf(int64_t count, int64_t n, const float* matrices, RootOptions options,
                   double* scratch, float* roots, float* residuals, int32_t* outcomes) {
  double* const work = scratch + blockIdx.x * rootNumbers(n);
  for (int64_t k = blockIdx.x; k < count; k += gridDim.x) {
    float* const root = roots + k * n * n;
    const RootResult result =
        inverseRoot({matrices + k * n * n, n, 1, false}, options, work, root, nullptr);
    if (result.status != kRootOk)
      for (int64_t i = threadIdx.x; i < n * n; i += kThreads) root[i] = NAN;
    if (threadIdx.x == 0) {
      residuals[k] = static_cast<float>(result.residual);
      outcomes[2 * k] = result.iterations;
      outcomes[2 * k + 1] = result.status == kRootOk;
    }
    __syncthreads();  // before the next matrix
  }
}

}  // namespace

Run op_inverseRoot(Instruction& in) {
  const Operand matrices = in.inputs.at(0), roots = in.outputs.at(0);
  const Operand residuals = in.outputs.at(1), outcomes = in.outputs.at(2);
  const int64_t count = matrices.dim(0), n = matrices.dim(1);
  const RootOptions options{in.number("p"), in.number("ridge"), in.number("epsilon"),
                            in.integer("newton") != 0};
  const int64_t bytes = rootNumbers(n) * static_cast<int64_t>(sizeof(double));
  const unsigned blocks = blocksForMatrices(count, bytes);
  in.scratchBytes = blocks * bytes;
  if (count == 0) return [](const Step&) {};
  return [=](const Step& step) {
    LAUNCH(inverseRootsOf, blocks, kThreads, 0, step.stream, count, n, matrices.f32(step), options,
           reinterpret_cast<double*>(step.scratch), roots.f32(step), residuals.f32(step),
           outcomes.i32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
