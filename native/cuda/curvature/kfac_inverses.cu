// K-FAC's damped inverses (A + π√λ I)⁻¹ and (G + √λ/π I)⁻¹ of every layer by Cholesky in double,
// under the failure policy of src/ops/roots.ts. A block to a matrix; a second kernel settles the
// outcomes in order.
#include "cuda/base/kernels.h"
#include "cuda/eigen/matrix.h"
#include "cuda/linalg/settle.h"
#include "ops/factor_blocks.h"

namespace flatmin {
namespace cuda {

namespace {

// A block of a factor.
struct DampedFactor {
  int factor, inverse;  // buffers
  int64_t n, scratch;   // where its doubles stand: n² of L, n² of L⁻¹
  bool diagonal;        // the vector of one, as its inverse is
  int64_t layer;
};

// The blocks of A are [a, g), those of G [g, end).
struct DampedLayer {
  int32_t tensor;
  int64_t a, g, end;
};

__device__ inline bool finite(double x) { return x - x == 0; }

// tr M / dim M of all blocks together, packed or as the vectors of diagonals
__device__ inline double meanTrace(const DampedFactor* begin, const DampedFactor* end,
                                   char* const* table) {
  double trace = 0;
  int64_t order = 0;
  for (const DampedFactor* f = begin; f != end; ++f) {
    const float* const m = reinterpret_cast<const float*>(table[f->factor]);
    for (int64_t i = threadIdx.x; i < f->n; i += kThreads)
      trace += m[f->diagonal ? i : packedSize(i) + i];
    order += f->n;
  }
  return blockSum(trace) / order;
}

// True for all threads where it is for one.
__device__ inline bool any(bool one) { return blockSum(one ? 1 : 0) > 0; }

// L, row-major, with L Lᵀ = M of which it holds the lower triangle; false at a pivot <= 0.
__device__ inline bool factorise(double* l, int64_t n) {
  for (int64_t k = 0; k < n; ++k) {
    const double pivot = l[k * n + k];
    if (!(pivot > 0)) return false;
    const double root = sqrt(pivot);
    __syncthreads();
    for (int64_t r = k + threadIdx.x; r < n; r += kThreads) l[r * n + k] /= root;
    __syncthreads();
    const int64_t rest = n - k - 1;
    for (int64_t at = threadIdx.x; at < rest * rest; at += kThreads) {
      const int64_t r = k + 1 + at / rest, c = k + 1 + at % rest;
      if (c <= r) l[r * n + c] -= l[r * n + k] * l[c * n + k];
    }
    __syncthreads();
  }
  return true;
}

// s = L⁻¹, lower triangular: a thread solves for whole columns.
__device__ inline void invertLower(const double* l, double* s, int64_t n) {
  for (int64_t c = threadIdx.x; c < n; c += kThreads) {
    for (int64_t r = c; r < n; ++r) {
      double sum = r == c ? 1 : 0;
      for (int64_t k = c; k < r; ++k) sum -= l[r * n + k] * s[k * n + c];
      s[r * n + c] = sum / l[r * n + r];
    }
  }
  __syncthreads();
}

// out ← 1 / (d + shift) unless one is not positive or does not fit a float.
__device__ inline int32_t reciprocals(const float* d, int64_t n, double shift, float* out) {
  bool infinite = false, bad = false;
  for (int64_t i = threadIdx.x; i < n; i += kThreads) {
    const float x = static_cast<float>(1 / (d[i] + shift));
    infinite = infinite || !finite(d[i]);
    bad = bad || !(x > 0 && finite(x));
  }
  if (any(infinite)) return kMatrixNotFinite;
  if (any(bad)) return kMatrixFailed;
  for (int64_t i = threadIdx.x; i < n; i += kThreads)
    out[i] = static_cast<float>(1 / (d[i] + shift));
  return kMatrixOk;
}

__global__ void dampedInverses(const DampedFactor* list, int64_t count, const DampedLayer* layers,
                               char* const* table, const int32_t* status, const int32_t* updates,
                               const float* damping, double* scratch, int32_t* outcomes) {
  if (standsStill(status) || *updates == 0) return;
  for (int64_t i = blockIdx.x; i < count; i += gridDim.x) {
    const DampedFactor& own = list[i];
    const DampedLayer& layer = layers[own.layer];
    const int64_t n = own.n;
    const float* const m = reinterpret_cast<const float*>(table[own.factor]);
    float* const inverse = reinterpret_cast<float*>(table[own.inverse]);
    const double ratio = meanTrace(list + layer.a, list + layer.g, table) /
                         meanTrace(list + layer.g, list + layer.end, table);
    const double pi = ratio > 0 && finite(ratio) ? sqrt(ratio) : 1;
    const double root = sqrt(static_cast<double>(*damping));
    const double shift = i < layer.g ? pi * root : root / pi;
    if (own.diagonal) {
      const int32_t outcome = reciprocals(m, n, shift, inverse);
      if (threadIdx.x == 0) outcomes[i] = outcome;
      continue;
    }
    double *const l = scratch + own.scratch, *const s = l + n * n;
    bool bad = false;
    for (int64_t at = threadIdx.x; at < n * n; at += kThreads) {
      const int64_t r = at / n, c = at % n;
      if (c > r) continue;
      const float x = m[packedSize(r) + c];
      bad = bad || !finite(x);
      l[at] = x + (r == c ? shift : 0.0);
    }
    int32_t outcome = any(bad) ? kMatrixNotFinite : kMatrixOk;
    if (outcome == kMatrixOk && !factorise(l, n)) outcome = kMatrixFailed;
    if (outcome == kMatrixOk) {
      invertLower(l, s, n);
      // L's place holds the inverse Sᵀ S until all of it is known to fit a float.
      for (int64_t at = threadIdx.x; at < n * n; at += kThreads) {
        const int64_t r = at / n, c = at % n;
        if (c > r) continue;
        double sum = 0;
        for (int64_t k = r; k < n; ++k) sum += s[k * n + r] * s[k * n + c];
        l[at] = sum;
        bad = bad || !finite(static_cast<float>(sum));
      }
      if (any(bad)) outcome = kMatrixFailed;
    }
    for (int64_t at = threadIdx.x; outcome == kMatrixOk && at < n * n; at += kThreads) {
      const int64_t r = at / n, c = at % n;
      inverse[at] = static_cast<float>(c <= r ? l[at] : l[c * n + r]);
    }
    if (threadIdx.x == 0) outcomes[i] = outcome;
  }
}

__global__ void settleInverses(const DampedLayer* layers, int64_t count, const int32_t* outcomes,
                               const double* stepNumber, int32_t* status, const int32_t* updates,
                               int32_t* failures) {
  if (standsStill(status) || *updates == 0) return;
  for (int64_t l = 0; l < count; ++l) {
    const DampedLayer layer = layers[l];
    int32_t* const own = failures + 2 * static_cast<int64_t>(layer.tensor);
    settle(status, own[0], together(outcomes + layer.a, outcomes + layer.g), layer.tensor,
           *stepNumber);
    settle(status, own[1], together(outcomes + layer.g, outcomes + layer.end), layer.tensor,
           *stepNumber);
  }
}

}  // namespace

Run op_kfacInverses(Instruction& in) {
  const Operand status = in.inputs.at(0), failures = in.inputs.at(1);
  const Operand updates = in.inputs.at(2), damping = in.inputs.at(3);
  const int64_t stepSlot = in.integer("stepSlot");
  const FactorBlocks given(in, false);
  std::vector<DampedFactor> factors;
  std::vector<DampedLayer> layers;
  int64_t doubles = 0;
  for (const FactorLayer& layer : given.layers) {
    for (size_t b = layer.a; b < layer.end; ++b) {
      const FactorBlock& block = given.blocks[b];
      factors.push_back({block.factor.id, block.result.id, block.order(), doubles,
                         block.isDiagonal(), static_cast<int64_t>(layers.size())});
      if (!block.isDiagonal()) doubles += 2 * block.result.size();
    }
    layers.push_back({layer.tensor, static_cast<int64_t>(layer.a), static_cast<int64_t>(layer.g),
                      static_cast<int64_t>(layer.end)});
  }
  const Constant<DampedFactor> list(in, factors);
  const Constant<DampedLayer> layerList(in, layers);
  const int64_t count = list.size();
  in.scratchBytes = doubles * static_cast<int64_t>(sizeof(double)) +
                    count * static_cast<int64_t>(sizeof(int32_t));
  return [=](const Step& step) {
    if (count == 0) return;  // guard
    double* const scratch = reinterpret_cast<double*>(step.scratch);
    int32_t* const outcomes = reinterpret_cast<int32_t*>(scratch + doubles);
    LAUNCH(dampedInverses, static_cast<unsigned>(std::min(count, kMostBlocks)), kThreads, 0,
           step.stream, list.data(), count, layerList.data(), step.table, status.i32(step),
           updates.i32(step), damping.f32(step), scratch, outcomes);
    LAUNCH(settleInverses, 1, 1, 0, step.stream, layerList.data(), layerList.size(), outcomes,
           step.row + stepSlot, status.i32(step), updates.i32(step), failures.i32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
