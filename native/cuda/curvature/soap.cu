// SOAP (Vyas et al. 2024): Adam's direction in turned coordinates, and the eigenbases that turn
// them, a matrix to a block (src/ops/soap.ts).
#include "cuda/base/chunks.h"
#include "cuda/base/kernels.h"
#include "cuda/base/status.h"
#include "cuda/eigen/eigh.h"
#include "cuda/linalg/echelon.h"
#include "cuda/linalg/inverse_root.h"

namespace flatmin {
namespace cuda {

namespace {

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

}  // namespace

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

namespace {

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

enum BasisResult { kLeft, kSet, kTurned, kNotFinite, kNotConverged };

// Of the largest value: what float32 leaves open of a statistic, ten roundings of it.
constexpr double kOpen = 1e-6;

// Three matrices; values, squares or errors, two rows, tau.
__host__ __device__ inline int64_t basisNumbers(int64_t n) { return 3 * n * n + 5 * n + 1; }

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

// Orthonormal rows q with w = Rᵀ q by Householder reflections, as native/cpu/linalg/qr.cc; w is
// destroyed but for its diagonal, R's, which is 0 for rows that depend on others.
__device__ inline void orthonormalRows(double* w, int64_t n, double negligible, double* tau,
                                       double* errors, double* q) {
  for (int64_t k = 0; k < n; ++k) {
    double* const v = w + k * n + k;
    const double alpha = v[0];
    double part = 0;
    for (int64_t i = 1 + threadIdx.x; i < n - k; i += kThreads) part += v[i] * v[i];
    const double rest = blockSum(part), size = sqrt(alpha * alpha + rest);
    double error = negligible;
    for (int64_t j = threadIdx.x; j < k; j += kThreads) {
      const double pivot = fabs(w[j * n + j]);
      if (pivot > 0) error = fmax(error, fabs(w[k * n + j]) * errors[j] / pivot);
    }
    error = blockMax(error);
    const bool depends = size <= error, turns = !depends && rest != 0;
    const double beta = turns ? copysign(size, -alpha) : depends ? 0 : alpha;
    for (int64_t i = 1 + threadIdx.x; i < n - k; i += kThreads)
      v[i] = turns ? v[i] / (alpha - beta) : 0;
    if (threadIdx.x == 0) {
      errors[k] = error;
      tau[k] = turns ? (beta - alpha) / beta : 0;
      v[0] = beta;
    }
    __syncthreads();
    if (turns) reflectRows(v, tau[k], w, k + 1, n, k);
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

// A basis into q whose first `count` rows are those there, up to signs, and whose others are the
// unit vectors of the columns without a pivot, in order, each made orthogonal to the rows before
// it: a function of the span of the rows alone. row: 2n numbers.
__device__ inline void complete(double* q, int64_t count, int64_t n, double* w, double* tau,
                                double* squares, double* row) {
  for (int64_t i = threadIdx.x; i < count * n; i += kThreads) w[i] = q[i];
  __syncthreads();
  echelon(w, count, n, squares, row, row + n);
  for (int64_t i = threadIdx.x; i < n * n; i += kThreads) w[i] = i < count * n ? q[i] : 0;
  __syncthreads();
  if (threadIdx.x == 0)
    for (int64_t c = 0, at = count; c < n; ++c)
      if (squares[c] == 0) w[at++ * n + c] = 1;
  __syncthreads();
  orthonormalRows(w, n, 0, tau, squares, q);
}

// Of rows of eigenvectors, the largest value first, those whose values float32 cannot tell apart
// are turned to a basis that depends on their span alone. values: sorted alike.
__device__ inline void settleSpans(const double* values, double* rows, int64_t n, double* spare,
                                   double* tau, double* squares, double* row) {
  const double gap = kOpen * values[0];
  for (int64_t begin = 0, end = 1; end <= n; ++end) {
    if (end < n && values[end - 1] - values[end] <= gap) continue;
    // The last span may be most of the space: then what is before it says less.
    if (end == n && end - begin > begin)
      complete(rows, begin, n, spare, tau, squares, row);
    else if (end - begin > 1)
      echelon(rows + begin * n, end - begin, n, squares, row, row + n);
    begin = end;
  }
}

// Rows q that depend on those before them, which the diagonal of w tells, come last, as they were
// in the basis, made orthogonal to the others; the order follows. places: n numbers.
__device__ inline void keepDependent(const float* basis, int64_t n, double* w, double* spare,
                                     double* tau, double* errors, int64_t* places, int64_t* order,
                                     double* q) {
  double dependent = 0;
  for (int64_t i = threadIdx.x; i < n; i += kThreads)
    if (w[i * (n + 1)] == 0) dependent = 1;
  if (blockMax(dependent) == 0) return;
  if (threadIdx.x == 0) {
    int64_t at = 0;
    for (int last = 0; last < 2; ++last)
      for (int64_t i = 0; i < n; ++i)
        if ((w[i * (n + 1)] == 0) == (last == 1)) places[at++] = i;
  }
  __syncthreads();
  for (int64_t at = threadIdx.x; at < n * n; at += kThreads) {
    const int64_t from = places[at / n], c = at % n;
    spare[at] =
        w[from * (n + 1)] == 0 ? static_cast<double>(basis[order[from] * n + c]) : q[from * n + c];
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int64_t i = 0; i < n; ++i) places[i] = order[places[i]];
    for (int64_t i = 0; i < n; ++i) order[i] = places[i];
  }
  __syncthreads();
  orthonormalRows(spare, n, kOpen, tau, errors, q);
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
    double *const squares = values + n, *const row = squares + n;
    int64_t* const order = orders + task * mostRows;
    fillSymmetric(source, 1.0, 0.0, a);
    if (first) {
      if (!blockEigh(a, n, b, values + n)) {
        if (threadIdx.x == 0) results[task] = kNotConverged;
        continue;
      }
      for (int64_t i = threadIdx.x; i < n; i += kThreads) row[i] = a[i * n + i];
      __syncthreads();
      sortRows(row, b, n, c, order);
      for (int64_t i = threadIdx.x; i < n; i += kThreads) values[i] = row[order[i]];
      __syncthreads();
      settleSpans(values, c, n, a, row + 2 * n, squares, row);
    } else {
      copyMatrix(basis, n, b);
      multiply(b, false, a, n, kWhole, c);
      for (int64_t i = threadIdx.x; i < n; i += kThreads) {
        double value = 0;
        for (int64_t k = 0; k < n; ++k) value += c[i * n + k] * b[i * n + k];
        values[i] = value;
      }
      __syncthreads();
      double most = 0, longest = 0;
      for (int64_t i = threadIdx.x; i < n; i += kThreads) most = fmax(most, values[i]);
      const double least = kOpen * blockMax(most);
      for (int64_t i = threadIdx.x; i < n; i += kThreads) {
        if (values[i] <= least) values[i] = 0;
        double square = 0;
        for (int64_t k = 0; k < n; ++k) square += c[i * n + k] * c[i * n + k];
        longest = fmax(longest, sqrt(square));
      }
      longest = blockMax(longest);
      sortRows(values, c, n, a, order);
      orthonormalRows(a, n, kOpen * longest, values, squares, c);
      keepDependent(basis, n, a, b, values, squares, reinterpret_cast<int64_t*>(row), order, c);
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

// One thread: the first statistic that is not finite ends the run; failures count.
__global__ void settleBases(const BasisTask* tasks, int64_t count, const int* results,
                            const double* step, int32_t* status) {
  for (int64_t k = 0; k < count && !status[kStop]; ++k) {
    if (results[k] == kNotConverged) countUp(status[kRootFailures]);
    if (results[k] != kNotFinite) continue;
    status[kStop] = 3;
    status[kTensor] = tasks[k].tensor;
    status[kStep] = static_cast<int32_t>(*step);
  }
}

}  // namespace

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
