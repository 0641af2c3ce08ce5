// Shampoo's inverse roots of many matrices in one launch, a matrix to a block, under the failure
// policy of native/cpu/linalg/settle.h; countUpdate: how often the statistics under them were
// updated.
#include "cuda/base/kernels.h"
#include "cuda/linalg/inverse_root.h"
#include "cuda/linalg/settle.h"

namespace flatmin {
namespace cuda {

namespace {

// One matrix of the list: its number in its buffers.
struct RootTask {
  int statistics, roots, bases;  // buffers; no bases: −1
  int tensor;
  int64_t n, index;
  RootOptions options;
};

__global__ void __launch_bounds__(kThreads)
    takeRoots(const RootTask* tasks, int64_t count, char* const* table, const int32_t* status,
              const int32_t* updates, double beta, int64_t numbers, double* scratch, int* results) {
  if (standsStill(status) || *updates == 0) return;
  const double correction = beta == 1 ? 1 : 1 / (1 - pow(beta, *updates));
  for (int64_t k = blockIdx.x; k < count; k += gridDim.x) {
    const RootTask task = tasks[k];
    const int64_t n = task.n;
    const float* const a =
        reinterpret_cast<float*>(table[task.statistics]) + task.index * packedSize(n);
    float* const root = reinterpret_cast<float*>(table[task.roots]) + task.index * n * n;
    float* const basis =
        task.bases < 0 ? nullptr : reinterpret_cast<float*>(table[task.bases]) + task.index * n * n;
    const RootResult result = inverseRoot({a, n, correction, true}, task.options,
                                          scratch + blockIdx.x * numbers, root, basis);
    if (threadIdx.x == 0) results[k] = result.status;
    __syncthreads();  // before the next matrix
  }
}

__device__ inline int32_t outcomeOf(int result) {
  return result == kRootOk          ? kMatrixOk
         : result == kRootNotFinite ? kMatrixNotFinite
                                    : kMatrixFailed;
}

__global__ void settleRoots(const RootTask* tasks, int64_t count, const int* results,
                            const int32_t* updates, const double* step, int32_t* status,
                            int32_t* failures) {
  if (standsStill(status) || *updates == 0) return;
  for (int64_t k = 0; k < count; ++k)
    settle(status, failures[k], outcomeOf(results[k]), tasks[k].tensor, *step);
}

}  // namespace

Run op_inverseRoots(Instruction& in) {
  const Operand status = in.inputs.at(0), failures = in.inputs.at(1), updates = in.inputs.at(2);
  std::vector<RootTask> list;
  int64_t numbers = 0;
  const bool warm = in.integer("warm") != 0;
  const size_t stride = warm ? 3 : 2;
  for (size_t i = 0; i < in.list("p").size(); ++i) {
    const size_t first = 3 + stride * i;
    const Operand &statistics = in.inputs.at(first), &roots = in.inputs.at(first + 1);
    const int bases = warm ? in.inputs.at(first + 2).id : -1;
    const RootOptions options{in.list("p")[i], in.number("ridge"), in.number("epsilon"),
                              in.integer("newton") != 0};
    const int64_t n = roots.dim(1);
    const int tensor = static_cast<int>(in.list("tensors").at(i));
    for (int64_t k = 0; k < roots.dim(0); ++k)
      list.push_back({statistics.id, roots.id, bases, tensor, n, k, options});
    numbers = std::max(numbers, rootNumbers(n));
  }
  if (list.empty()) return [](const Step&) {};
  const Constant<RootTask> tasks(in, list);
  const int64_t count = tasks.size();
  const int64_t bytes = numbers * static_cast<int64_t>(sizeof(double));
  const unsigned blocks = blocksForMatrices(count, bytes);
  in.scratchBytes = blocks * bytes + count * static_cast<int64_t>(sizeof(int));
  const double beta = in.number("beta");
  const int64_t stepSlot = in.integer("stepSlot");
  return [=](const Step& step) {
    double* const scratch = reinterpret_cast<double*>(step.scratch);
    int* const results = reinterpret_cast<int*>(scratch + blocks * numbers);
    LAUNCH(takeRoots, blocks, kThreads, 0, step.stream, tasks.data(), count, step.table,
           status.i32(step), updates.i32(step), beta, numbers, scratch, results);
    LAUNCH(settleRoots, 1, 1, 0, step.stream, tasks.data(), count, results, updates.i32(step),
           step.row + stepSlot, status.i32(step), failures.i32(step));
  };
}

namespace {

__global__ void countUpdate(const int32_t* status, const float* mass, int32_t* updates) {
  if (standsStill(status)) return;
  constexpr int64_t kMost = INT32_MAX;
  const int64_t size = *updates < 0 ? -int64_t{*updates} : *updates;
  const int64_t past = size < kMost ? size : kMost - 1;
  *updates = static_cast<int32_t>(!mass || *mass > 0 ? past + 1 : -past);
}

}  // namespace

Run op_countUpdate(Instruction& in) {
  const Operand status = in.inputs.at(0), updates = in.inputs.at(1);
  const bool weighed = in.inputs.size() > 2;
  const Operand mass = weighed ? in.inputs[2] : Operand{};
  return [=](const Step& step) {
    LAUNCH(countUpdate, 1, 1, 0, step.stream, status.i32(step),
           weighed ? mass.f32(step) : nullptr, updates.i32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
