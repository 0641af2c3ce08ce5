// K-FAC in the eigenbasis: eigenvectors of A and G of every layer, a matrix to a block, and
// 1 / (g_o a_i + λ) of their eigenvalues, a layer to a block, under the failure policy
// (src/ops/kfac_eigen.ts).
#include "cuda/base/kernels.h"
#include "cuda/eigen/eigh.h"
#include "cuda/linalg/settle.h"

namespace flatmin {
namespace cuda {

namespace {

// The factors of a layer are neighbours: A and then G.
struct EigenFactor {
  int factor, basis;   // buffers
  int64_t n, scratch;  // where its doubles stand: n² of the matrix, n² of vectors, the rotations
  int64_t next;        // from a value to the next: 1 of a diagonal, whose n values are all there is
};

struct EigenLayer {
  int scale;  // buffer
  int32_t tensor;
};

// The values of diagonals, which have no basis; `decompose` does the others.
__global__ void __launch_bounds__(kThreads)
    copyDiagonals(const EigenFactor* list, int64_t count, char* const* table, const int32_t* status,
                  double* scratch, int32_t* outcomes) {
  if (standsStill(status)) return;
  for (int64_t k = blockIdx.x; k < count; k += gridDim.x) {
    const EigenFactor f = list[k];
    if (f.next != 1) continue;
    const float* const values = reinterpret_cast<const float*>(table[f.factor]);
    double bad = 0;
    for (int64_t i = threadIdx.x; i < f.n; i += kThreads) {
      scratch[f.scratch + i] = values[i];
      if (!isFinite(values[i])) bad = 1;
    }
    const bool good = blockMax(bad) == 0;
    if (threadIdx.x == 0) outcomes[k] = good ? kMatrixOk : kMatrixNotFinite;
  }
}

__global__ void __launch_bounds__(kThreads)
    decompose(const EigenFactor* list, int64_t count, char* const* table, const int32_t* status,
              double* scratch, int32_t* outcomes) {
  if (standsStill(status)) return;
  for (int64_t k = blockIdx.x; k < count; k += gridDim.x) {
    const EigenFactor f = list[k];
    if (f.next == 1) continue;
    const Symmetric source{reinterpret_cast<const float*>(table[f.factor]), f.n, 1, true};
    const bool finite = lowerIsFinite(source);
    if (threadIdx.x == 0) outcomes[k] = finite ? kMatrixOk : kMatrixNotFinite;
    if (!finite) continue;
    double *const a = scratch + f.scratch, *const vectors = a + f.n * f.n;
    fillSymmetric(source, 1.0, 0.0, a);
    const bool converged = blockEigh(a, f.n, vectors, vectors + f.n * f.n);
    if (threadIdx.x == 0 && !converged) outcomes[k] = kMatrixFailed;
    __syncthreads();  // before the next matrix
  }
}

__device__ inline float scaleAt(const EigenFactor& fg, const EigenFactor& fa, const double* scratch,
                                double damping, int64_t at) {
  const int64_t o = at / fa.n, i = at % fa.n;
  const double g = scratch[fg.scratch + o * fg.next], a = scratch[fa.scratch + i * fa.next];
  return static_cast<float>(1 / (fmax(g, 0.0) * fmax(a, 0.0) + damping));
}

__device__ inline void copyBasis(const EigenFactor& f, const double* scratch, char* const* table) {
  const double* const vectors = scratch + f.scratch + f.n * f.n;
  copyMatrix(vectors, f.n, reinterpret_cast<float*>(table[f.basis]));
}

__global__ void __launch_bounds__(kThreads)
    writeLayers(const EigenFactor* factors, const EigenLayer* layers, int64_t count,
                char* const* table, const int32_t* status, const float* damping,
                const double* scratch, const int32_t* found, int32_t* outcomes) {
  if (standsStill(status)) return;
  for (int64_t k = blockIdx.x; k < count; k += gridDim.x) {
    const EigenFactor &fa = factors[2 * k], &fg = factors[2 * k + 1];
    const int64_t n = fa.n, m = fg.n;
    const int32_t ofA = found[2 * k], ofG = found[2 * k + 1];
    const bool good = ofA == kMatrixOk && ofG == kMatrixOk;
    double bad = 0;
    for (int64_t at = threadIdx.x; good && at < m * n; at += kThreads)
      if (!isFinite(scaleAt(fg, fa, scratch, *damping, at))) bad = 1;
    const bool fits = blockMax(bad) == 0;
    if (threadIdx.x == 0)
      outcomes[k] = ofA == kMatrixNotFinite || ofG == kMatrixNotFinite ? kMatrixNotFinite
                    : good && fits                                     ? kMatrixOk
                                                                       : kMatrixFailed;
    if (!good || !fits) continue;
    float* const scale = reinterpret_cast<float*>(table[layers[k].scale]);
    for (int64_t at = threadIdx.x; at < m * n; at += kThreads)
      scale[at] = scaleAt(fg, fa, scratch, *damping, at);
    if (fa.next > 1) copyBasis(fa, scratch, table);
    copyBasis(fg, scratch, table);
  }
}

__global__ void settleLayers(const EigenLayer* layers, int64_t count, const int32_t* outcomes,
                             const double* step, int32_t* status, int32_t* failures) {
  if (standsStill(status)) return;
  for (int64_t k = 0; k < count; ++k)
    settle(status, failures[layers[k].tensor], outcomes[k], layers[k].tensor, *step);
}

}  // namespace

Run op_kfacEigen(Instruction& in) {
  const Operand status = in.inputs.at(0), failures = in.inputs.at(1), damping = in.inputs.at(2);
  const int64_t stepSlot = in.integer("stepSlot");
  std::vector<EigenFactor> factors;
  std::vector<EigenLayer> layers;
  int64_t doubles = 0;
  for (size_t l = 0; l < in.list("tensors").size(); ++l) {
    for (size_t side = 0; side < 2; ++side) {
      const Operand &factor = in.inputs.at(3 + 5 * l + side),
                    &basis = in.inputs.at(5 + 5 * l + side);
      const bool diagonal = basis.type.shape.size() == 1;
      const int64_t n = basis.dim(0);
      factors.push_back({factor.id, basis.id, n, doubles, diagonal ? 1 : n + 1});
      doubles += diagonal ? n : 2 * n * n + rotationNumbers(n);
    }
    layers.push_back({in.inputs.at(7 + 5 * l).id, static_cast<int32_t>(in.list("tensors")[l])});
  }
  if (layers.empty()) return [](const Step&) {};
  const bool diagonals =
      std::any_of(factors.begin(), factors.end(), [](const EigenFactor& f) { return f.next == 1; });
  const Constant<EigenFactor> factorList(in, factors);
  const Constant<EigenLayer> layerList(in, layers);
  const int64_t count = layerList.size();
  in.scratchBytes = doubles * static_cast<int64_t>(sizeof(double)) +
                    3 * count * static_cast<int64_t>(sizeof(int32_t));
  const auto blocks = [](int64_t tasks) {
    return static_cast<unsigned>(std::min(tasks, kMostBlocks));
  };
  return [=](const Step& step) {
    double* const scratch = reinterpret_cast<double*>(step.scratch);
    int32_t* const found = reinterpret_cast<int32_t*>(scratch + doubles);
    int32_t* const outcomes = found + 2 * count;
    LAUNCH(decompose, blocks(2 * count), kThreads, 0, step.stream, factorList.data(), 2 * count,
           step.table, status.i32(step), scratch, found);
    if (diagonals)
      LAUNCH(copyDiagonals, blocks(2 * count), kThreads, 0, step.stream, factorList.data(),
             2 * count, step.table, status.i32(step), scratch, found);
    LAUNCH(writeLayers, blocks(count), kThreads, 0, step.stream, factorList.data(),
           layerList.data(), count, step.table, status.i32(step), damping.f32(step), scratch, found,
           outcomes);
    LAUNCH(settleLayers, 1, 1, 0, step.stream, layerList.data(), count, outcomes,
           step.row + stepSlot, status.i32(step), failures.i32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
