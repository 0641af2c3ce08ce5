// SOAP (Vyas et al. 2024): Adam's direction in turned coordinates, and the eigenbases that turn
// them, a matrix to a block (src/ops/soap.ts).
#include "cuda/chunks.h"
#include "cuda/eigh.h"
#include "cuda/inverse_root.h"
#include "cuda/kernels.h"
#include "cuda/status.h"

namespace flatmin {
namespace cuda {

// Chunks of g, m, g′, m′ as it was, v and the direction.
__global__ void soapDirections(const Chunk<6>* chunks, int64_t count, char* const* table,
                               const int32_t* status, const int32_t* updates, double beta1,
                               double beta2, float eps) {
  const bool still = standsStill(status) || *updates == 0;
  const float b1 = static_cast<float>(beta1), rest1 = static_cast<float>(1 - beta1);
  const float b2 = static_cast<float>(beta2), rest2 = static_cast<float>(1 - beta2);
  const float c1 = static_cast<float>(1 / (1 - pow(beta1, *updates)));
  const float c2 = static_cast<float>(1 / (1 - pow(beta2, *updates)));
  for (int64_t c = blockIdx.x; c < count; c += gridDim.x) {
    if (still) {
      forElements<6, 32>(chunks[c], table, [](float* v) { v[5] = 0; });
      continue;
    }
    forElements<6, 2 + 16 + 32>(chunks[c], table, [&](float* v) {
      const float turned = b1 * v[3] + rest1 * v[2];
      v[4] = b2 * v[4] + rest2 * v[2] * v[2];
      v[1] = b1 * v[1] + rest1 * v[0];
      v[5] = c1 * turned / (sqrtf(c2 * v[4]) + eps);
    });
  }
}

Run op_soapDirection(Instruction& in) {
  const Operand status = in.inputs.at(0), updates = in.inputs.at(1);
  std::vector<Operand> operands;
  for (size_t t = 0; t < in.outputs.size(); ++t) {
    for (size_t k = 0; k < 5; ++k) operands.push_back(in.inputs.at(2 + 5 * t + k));
    operands.push_back(in.outputs[t]);
  }
  const ChunkList<6> list(in, operands);
  const double beta1 = in.number("beta1"), beta2 = in.number("beta2");
  const float eps = static_cast<float>(in.number("eps"));
  return [=](const Step& step) {
    if (list.count() == 0) return;  // guard
    LAUNCH(soapDirections, list.blocks(), kThreads, 0, step.stream, list.data(), list.count(),
           step.table, status.i32(step), updates.i32(step), beta1, beta2, eps);
  };
}

// One mode of a tensor: its statistic, its basis, and the squares that lie along it.
struct BasisTask {
  int statistic, basis, v;  // buffers
  int tensor;
  int64_t n, outer, inner;

  __device__ float* data(int id, char* const* table) const {
    return reinterpret_cast<float*>(table[id]);
  }
  __host__ __device__ int64_t elements() const { return outer * n * inner; }
};

enum BasisResult { kLeft, kSet, kTurned, kNotFinite };

__host__ __device__ inline int64_t basisNumbers(int64_t n) {
  return 3 * n * n + n + rotationNumbers(n);
}

// x ← (I − τvvᵀ)x for the rows x from `first` on, a row to a warp; v[0] counts as 1.
__device__ inline void reflectRows(const double* v, double tau, double* x, int64_t first, int64_t n,
                                   int64_t k) {
  for (int64_t j = first + threadIdx.x / kLanes; j < n; j += kThreads / kLanes) {
    double* const row = x + j * n + k;
    double sum = 0;
    for (int64_t i = laneId(); i < n - k; i += kLanes) sum += (i == 0 ? 1.0 : v[i]) * row[i];
    sum = tau * warpSum(sum);
    for (int64_t i = laneId(); i < n - k; i += kLanes) row[i] -= sum * (i == 0 ? 1.0 : v[i]);
  }
  __syncthreads();
}

// Orthonormal rows q with w = Rᵀ q by Householder reflections, as native/cpu/qr.cc; w is destroyed.
__device__ inline void orthonormalRows(double* w, int64_t n, double* tau, double* q) {
  for (int64_t k = 0; k < n; ++k) {
    double* const v = w + k * n + k;
    const double alpha = v[0];
    double part = 0;
    for (int64_t i = 1 + threadIdx.x; i < n - k; i += kThreads) part += v[i] * v[i];
    const double rest = blockSum(part);
    if (rest == 0) {
      if (threadIdx.x == 0) tau[k] = 0;
      continue;
    }
    const double beta = copysign(sqrt(alpha * alpha + rest), -alpha);
    for (int64_t i = 1 + threadIdx.x; i < n - k; i += kThreads) v[i] /= alpha - beta;
    if (threadIdx.x == 0) tau[k] = (beta - alpha) / beta;
    __syncthreads();
    reflectRows(v, tau[k], w, k + 1, n, k);
  }
  for (int64_t i = threadIdx.x; i < n * n; i += kThreads) q[i] = i % (n + 1) == 0 ? 1.0 : 0.0;
  __syncthreads();
  for (int64_t k = n - 1; k >= 0; --k) reflectRows(w + k * n + k, tau[k], q, k, n, k);
}

// Row i of x becomes row number `order`-of-i of y, the largest of the values first.
__device__ inline void sortRows(const double* values, const double* x, int64_t n, double* y,
                                int64_t* order) {
  for (int64_t i = threadIdx.x; i < n; i += kThreads) {
    int64_t rank = 0;
    for (int64_t j = 0; j < n; ++j)
      if (values[j] > values[i] || (values[j] == values[i] && j < i)) ++rank;
    order[rank] = i;
    for (int64_t c = 0; c < n; ++c) y[rank * n + c] = x[i * n + c];
  }
  __syncthreads();
}

__global__ void __launch_bounds__(kThreads)
    turnBases(const BasisTask* tasks, int64_t count, char* const* table, const int32_t* status,
              const int32_t* updates, const double* due, int64_t numbers, double* scratch,
              int64_t mostRows, int64_t* orders, int* results) {
  const bool first = *updates == 0;
  const bool still = standsStill(status) || (!first && *due == 0);
  for (int64_t task = blockIdx.x; task < count; task += gridDim.x) {
    const BasisTask t = tasks[task];
    const int64_t n = t.n;
    const Symmetric source{t.data(t.statistic, table), n, 1, true};
    const bool finite = still || lowerIsFinite(source);
    if (threadIdx.x == 0)
      results[task] = still ? kLeft : !finite ? kNotFinite : first ? kSet : kTurned;
    if (still || !finite) continue;
    float* const basis = t.data(t.basis, table);
    double *a = scratch + blockIdx.x * numbers, *b = a + n * n, *c = b + n * n, *values = c + n * n;
    int64_t* const order = orders + task * mostRows;
    fillSymmetric(source, 1.0, 0.0, a);
    if (first) {
      blockEigh(a, n, b, values + n);
      for (int64_t i = threadIdx.x; i < n; i += kThreads) values[i] = a[i * n + i];
      __syncthreads();
      sortRows(values, b, n, c, order);
    } else {
      copyMatrix(basis, n, b);
      multiply(b, false, a, n, kWhole, c);
      for (int64_t i = threadIdx.x; i < n; i += kThreads) {
        double value = 0;
        for (int64_t k = 0; k < n; ++k) value += c[i * n + k] * b[i * n + k];
        values[i] = value;
      }
      __syncthreads();
      sortRows(values, c, n, a, order);
      orthonormalRows(a, n, values, c);
    }
    copyMatrix(c, n, basis);
  }
}

// v[o, i, r] ← v[o, order[i], r] of one mode, through a copy.
__global__ void copySquares(BasisTask task, char* const* table, const int* result, float* old) {
  if (*result != kTurned) return;
  const float* const v = task.data(task.v, table);
  for (int64_t at = globalThread(); at < task.elements(); at += globalThreads()) old[at] = v[at];
}
__global__ void permuteSquares(BasisTask task, char* const* table, const int* result,
                               const int64_t* order, const float* old) {
  if (*result != kTurned) return;
  float* const v = task.data(task.v, table);
  for (int64_t at = globalThread(); at < task.elements(); at += globalThreads()) {
    const int64_t row = at / task.inner, i = row % task.n;
    v[at] = old[(row - i + order[i]) * task.inner + at % task.inner];
  }
}

// One thread: the first statistic that is not finite ends the run.
__global__ void settleBases(const BasisTask* tasks, int64_t count, const int* results,
                            const double* step, int32_t* status) {
  for (int64_t k = 0; k < count && !status[kStop]; ++k) {
    if (results[k] != kNotFinite) continue;
    status[kStop] = 3;
    status[kTensor] = tasks[k].tensor;
    status[kStep] = static_cast<int32_t>(*step);
  }
}

Run op_soapBases(Instruction& in) {
  const Operand status = in.inputs.at(0), updates = in.inputs.at(1);
  std::vector<BasisTask> list;
  int64_t rows = 0, elements = 0;
  for (size_t i = 0; i < in.list("tensors").size(); ++i) {
    const Operand &basis = in.inputs.at(3 + 3 * i), &v = in.inputs.at(4 + 3 * i);
    list.push_back({in.inputs.at(2 + 3 * i).id, basis.id, v.id,
                    static_cast<int>(in.list("tensors")[i]), basis.dim(1),
                    static_cast<int64_t>(in.list("outer").at(i)),
                    static_cast<int64_t>(in.list("inner").at(i))});
    rows = std::max(rows, basis.dim(1));
    elements = std::max(elements, v.size());
  }
  if (elements == 0) return [](const Step&) {};
  const Constant<BasisTask> tasks(in, list);
  const int64_t count = tasks.size(), numbers = basisNumbers(rows);
  const int64_t bytes = numbers * static_cast<int64_t>(sizeof(double));
  const unsigned blocks = blocksForMatrices(count, bytes);
  in.scratchBytes = blocks * bytes + count * rows * static_cast<int64_t>(sizeof(int64_t)) +
                    elements * static_cast<int64_t>(sizeof(float)) +
                    count * static_cast<int64_t>(sizeof(int));
  const int64_t dueSlot = in.integer("dueSlot"), stepSlot = in.integer("stepSlot");
  return [=](const Step& step) {
    double* const scratch = reinterpret_cast<double*>(step.scratch);
    int64_t* const orders = reinterpret_cast<int64_t*>(scratch + blocks * numbers);
    float* const old = reinterpret_cast<float*>(orders + count * rows);
    int* const results = reinterpret_cast<int*>(old + elements);
    LAUNCH(turnBases, blocks, kThreads, 0, step.stream, tasks.data(), count, step.table,
           status.i32(step), updates.i32(step), step.row + dueSlot, numbers, scratch, rows, orders,
           results);
    for (size_t k = 0; k < list.size(); ++k) {
      const unsigned wide = blocksFor(list[k].elements());
      LAUNCH(copySquares, wide, kThreads, 0, step.stream, list[k], step.table, results + k, old);
      LAUNCH(permuteSquares, wide, kThreads, 0, step.stream, list[k], step.table, results + k,
             orders + static_cast<int64_t>(k) * rows, old);
    }
    LAUNCH(settleBases, 1, 1, 0, step.stream, tasks.data(), count, results, step.row + stepSlot,
           status.i32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
