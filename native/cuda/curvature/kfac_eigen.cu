// K-FAC in the eigenbasis: eigenvectors of A and G of every layer, a matrix to a block, and
// 1 / (g_o a_i + λ) of their eigenvalues, a layer to a block, under the failure policy
// (src/ops/kfac_eigen.ts).
#include "cuda/base/kernels.h"
#include "cuda/eigen/eigh.h"
#include "cuda/linalg/settle.h"
#include "ops/factor_blocks.h"

namespace flatmin {
namespace cuda {

namespace {

// A block of a factor.
struct EigenFactor {
  int factor, basis;   // buffers
  int64_t n, scratch;  // where its doubles stand: n² of the matrix, n² of vectors, the rotations
  int64_t next;        // from a value to the next: 1 of a diagonal, whose n values are all there is
  int64_t first;       // its first value's place among those of its side
};

// The blocks of A are [a, g), those of G [g, end).
struct EigenLayer {
  int scale;  // buffer
  int32_t tensor;
  int64_t width;  // of the scale
  int64_t a, g, end;
};

// The values of diagonals, which have no basis; `decompose` does the others.
__global__ void __launch_bounds__(kThreads)
    copyDiagonals(const EigenFactor* list, int64_t count, char* const* table, const int32_t* status,
                  const int32_t* updates, double* scratch, int32_t* outcomes) {
  if (standsStill(status) || *updates == 0) return;
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
              const int32_t* updates, double* scratch, int32_t* outcomes) {
  if (standsStill(status) || *updates == 0) return;
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

__device__ inline float scaleOf(const EigenFactor& fg, int64_t o, const EigenFactor& fa, int64_t i,
                                const double* scratch, double damping) {
  const double g = scratch[fg.scratch + o * fg.next], a = scratch[fa.scratch + i * fa.next];
  return static_cast<float>(1 / (fmax(g, 0.0) * fmax(a, 0.0) + damping));
}

// visit(place in the scale, value) for every place that falls to this thread.
template <class Visit>
__device__ inline void forScale(const EigenFactor* factors, const EigenLayer& layer,
                                const double* scratch, double damping, Visit visit) {
  for (int64_t row = layer.g; row < layer.end; ++row)
    for (int64_t column = layer.a; column < layer.g; ++column) {
      const EigenFactor &fg = factors[row], &fa = factors[column];
      for (int64_t at = threadIdx.x; at < fg.n * fa.n; at += kThreads) {
        const int64_t o = at / fa.n, i = at % fa.n;
        visit((fg.first + o) * layer.width + fa.first + i,
              scaleOf(fg, o, fa, i, scratch, damping));
      }
    }
}

__device__ inline void copyBasis(const EigenFactor& f, const double* scratch, char* const* table) {
  const double* const vectors = scratch + f.scratch + f.n * f.n;
  copyMatrix(vectors, f.n, reinterpret_cast<float*>(table[f.basis]));
}

__global__ void __launch_bounds__(kThreads)
    writeLayers(const EigenFactor* factors, const EigenLayer* layers, int64_t count,
                char* const* table, const int32_t* status, const int32_t* updates,
                const float* damping, const double* scratch, const int32_t* found, int32_t* outcomes) {
  if (standsStill(status) || *updates == 0) return;
  for (int64_t k = blockIdx.x; k < count; k += gridDim.x) {
    const EigenLayer layer = layers[k];
    const int32_t outcome = together(found + layer.a, found + layer.end);
    double bad = 0;
    if (outcome == kMatrixOk)
      forScale(factors, layer, scratch, *damping, [&](int64_t, float x) {
        if (!isFinite(x)) bad = 1;
      });
    const bool fits = blockMax(bad) == 0;
    if (threadIdx.x == 0) outcomes[k] = fits ? outcome : kMatrixFailed;
    if (outcome != kMatrixOk || !fits) continue;
    float* const scale = reinterpret_cast<float*>(table[layer.scale]);
    forScale(factors, layer, scratch, *damping, [&](int64_t at, float x) { scale[at] = x; });
    for (int64_t f = layer.a; f < layer.end; ++f)
      if (factors[f].next > 1) copyBasis(factors[f], scratch, table);
  }
}

__global__ void settleLayers(const EigenLayer* layers, int64_t count, const int32_t* outcomes,
                             const double* step, int32_t* status, const int32_t* updates,
                             int32_t* failures) {
  if (standsStill(status) || *updates == 0) return;
  for (int64_t k = 0; k < count; ++k)
    settle(status, failures[layers[k].tensor], outcomes[k], layers[k].tensor, *step);
}

}  // namespace

Run op_kfacEigen(Instruction& in) {
  const Operand status = in.inputs.at(0), failures = in.inputs.at(1);
  const Operand updates = in.inputs.at(2), damping = in.inputs.at(3);
  const int64_t stepSlot = in.integer("stepSlot");
  const FactorBlocks given(in, true);
  std::vector<EigenFactor> factors;
  std::vector<EigenLayer> layers;
  int64_t doubles = 0;
  for (const FactorLayer& layer : given.layers) {
    for (size_t side : {0, 1}) {
      int64_t first = 0;
      for (size_t b = layer.begin(side); b < layer.last(side); ++b) {
        const FactorBlock& block = given.blocks[b];
        const int64_t n = block.order();
        const int64_t next = block.isDiagonal() ? 1 : n + 1;
        factors.push_back({block.factor.id, block.result.id, n, doubles, next, first});
        doubles += block.isDiagonal() ? n : 2 * n * n + rotationNumbers(n);
        first += n;
      }
    }
    layers.push_back({layer.after.id, layer.tensor, layer.after.dim(1),
                      static_cast<int64_t>(layer.a), static_cast<int64_t>(layer.g),
                      static_cast<int64_t>(layer.end)});
  }
  if (layers.empty()) return [](const Step&) {};
  const bool diagonals =
      std::any_of(factors.begin(), factors.end(), [](const EigenFactor& f) { return f.next == 1; });
  const Constant<EigenFactor> factorList(in, factors);
  const Constant<EigenLayer> layerList(in, layers);
  const int64_t count = layerList.size(), matrices = factorList.size();
  in.scratchBytes = doubles * static_cast<int64_t>(sizeof(double)) +
                    (matrices + count) * static_cast<int64_t>(sizeof(int32_t));
  const auto blocks = [](int64_t tasks) {
    return static_cast<unsigned>(std::min(tasks, kMostBlocks));
  };
  return [=](const Step& step) {
    double* const scratch = reinterpret_cast<double*>(step.scratch);
    int32_t* const found = reinterpret_cast<int32_t*>(scratch + doubles);
    int32_t* const outcomes = found + matrices;
    LAUNCH(decompose, blocks(matrices), kThreads, 0, step.stream, factorList.data(), matrices,
           step.table, status.i32(step), updates.i32(step), scratch, found);
    if (diagonals)
      LAUNCH(copyDiagonals, blocks(matrices), kThreads, 0, step.stream, factorList.data(),
             matrices, step.table, status.i32(step), updates.i32(step), scratch, found);
    LAUNCH(writeLayers, blocks(count), kThreads, 0, step.stream, factorList.data(),
           layerList.data(), count, step.table, status.i32(step), updates.i32(step),
           damping.f32(step), scratch, found, outcomes);
    LAUNCH(settleLayers, 1, 1, 0, step.stream, layerList.data(), count, outcomes,
           step.row + stepSlot, status.i32(step), updates.i32(step), failures.i32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
