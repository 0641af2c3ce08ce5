// orthogonalize: polar factors of many matrices in one call, approximately by X <- a X + (b A + c
// A^2) X with A = X X^T for a list of (a, b, c) (Newton-Schulz, Jordan 2024; Polar Express, Amsel
// et al. 2025), or exactly. A matrix taller than wide is transposed first, so both forms give the
// same.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>

#include "cpu/base/kernels.h"
#include "cpu/base/status.h"
#include "cpu/eigen/panels.h"
#include "cpu/gemm/gemm.h"
#include "cpu/linalg/polar.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

constexpr double kTask = 1 << 16;   // products X X^T of a task: some ten microseconds
constexpr double kLarge = 1 << 20;  // products of a matrix that all threads share

// One matrix of one operand, small x large: the wide one of X and X^T.
struct Item {
  Operand from, to;
  int64_t offset, small, large;
  bool tall;
  int64_t tensor;  // whose it is, where that is known

  double products() const {
    return static_cast<double>(small) * static_cast<double>(small) * static_cast<double>(large);
  }
  float* source(const Step& step) const { return from.f32(step) + offset; }
  float* target(const Step& step) const { return to.f32(step) + offset; }
};

struct IterationWork {
  float *x, *next, *gram, *factor, *gemm;
  char* polar;
};

struct Method {
  std::vector<double> coefficients;  // triples; none: the exact factor
  double safety, epsilon;
  bool leading;  // of the exact factor the largest singular value's part alone
  int64_t sweeps;

  bool exact() const { return coefficients.empty(); }

  IterationWork take(const Item& m, int threads, Scratch* scratch) const {
    IterationWork work = {};
    work.x = scratch->take<float>(m.small * m.large);
    if (exact()) {
      work.polar = scratch->take<char>(static_cast<int64_t>(polarScratchBytes(m.small, m.large)));
      return work;
    }
    work.next = scratch->take<float>(m.small * m.large);
    work.gram = scratch->take<float>(m.small * m.small);
    work.factor = scratch->take<float>(m.small * m.small);
    work.gemm = scratch->take<float>(
        static_cast<int64_t>(std::max({gemmScratchFloats({m.small, m.small, m.large}, threads),
                                       gemmScratchFloats({m.small, m.small, m.small}, threads),
                                       gemmScratchFloats({m.small, m.large, m.small}, threads)})));
    return work;
  }

  int64_t scratchBytes(const Item& m, int threads) const {
    Scratch scratch(nullptr);
    take(m, threads, &scratch);
    return static_cast<int64_t>(scratch.bytes() + 63) / 64 * 64;
  }
};

double norm(const float* x, int64_t n) {
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int k = 0; k < kLanes; ++k) lanes[k] += static_cast<double>(x[i + k]) * x[i + k];
  for (; i < n; ++i) lanes[0] += static_cast<double>(x[i]) * x[i];
  double sum = 0;
  for (double lane : lanes) sum += lane;
  return std::sqrt(sum);
}

// Leaves the result in work->x.
void iterate(const Item& m, const Method& method, IterationWork* work, ThreadPool& pool) {
  const int64_t k = m.small, l = m.large;
  const double scale = 1 / (method.safety * norm(work->x, k * l) + method.epsilon);
  for (int64_t i = 0; i < k * l; ++i) work->x[i] = static_cast<float>(work->x[i] * scale);
  for (size_t i = 0; i + 2 < method.coefficients.size(); i += 3) {
    const float a = static_cast<float>(method.coefficients[i]);
    const float b = static_cast<float>(method.coefficients[i + 1]);
    const float c = static_cast<float>(method.coefficients[i + 2]);
    syrk(k, l, Matrix{work->x, l, 1}, GemmOut{work->gram, k}, work->gemm, pool);
    std::memcpy(work->factor, work->gram, sizeof(float) * static_cast<size_t>(k * k));
    syrk(k, k, Matrix{work->gram, k, 1}, GemmOut{work->factor, k, c, b}, work->gemm, pool);
    for (int64_t r = 0; r < k; ++r) work->factor[r * k + r] += a;
    gemm({k, l, k}, Matrix{work->factor, k, 1}, Matrix{work->x, l, 1}, GemmOut{work->next, l},
         work->gemm, pool);
    std::swap(work->x, work->next);
  }
}

// False, and NaN written, where an exact factor does not converge.
bool orthogonalize(const Item& m, const Method& method, const Step& step, char* memory,
                   ThreadPool& pool) {
  Scratch scratch(memory);
  IterationWork work = method.take(m, pool.threads(), &scratch);
  const int64_t k = m.small, l = m.large;
  const float* from = m.source(step);
  for (int64_t r = 0; r < k; ++r)
    for (int64_t c = 0; c < l; ++c) work.x[r * l + c] = from[m.tall ? c * k + r : r * l + c];
  bool converged = true;
  if (method.exact()) {
    converged = polarFactor(work.x, k, l, method.leading, method.sweeps, work.polar);
    if (!converged) std::fill_n(work.x, k * l, std::numeric_limits<float>::quiet_NaN());
  } else {
    iterate(m, method, &work, pool);
  }
  float* to = m.target(step);
  for (int64_t r = 0; r < k; ++r)
    for (int64_t c = 0; c < l; ++c) to[m.tall ? c * k + r : r * l + c] = work.x[r * l + c];
  return converged;
}

// A factor that does not converge has no last one to keep: the run ends.
void stopFor(const std::vector<Item>& items, const char* failed, int32_t* words, double step) {
  const Item* first = nullptr;
  for (size_t i = 0; i < items.size(); ++i)
    if (failed[i] != 0 && (first == nullptr || items[i].tensor < first->tensor)) first = &items[i];
  if (first == nullptr || standsStill(words)) return;
  words[kStop] = 6;
  words[kTensor] = static_cast<int32_t>(first->tensor);
  words[kStep] = static_cast<int32_t>(step);
}

}  // namespace

Run op_orthogonalize(Instruction& in) {
  const Method method{in.list("coefficients"), in.number("safety"), in.number("epsilon"),
                      in.integer("leading") != 0, in.integer("sweeps")};
  const bool settled = in.integer("settled") != 0;
  const Operand status = settled ? in.inputs.at(0) : Operand{};
  const int64_t stepSlot = settled ? in.integer("stepSlot") : 0;
  std::vector<Item> items;
  for (size_t t = 0; t < in.outputs.size(); ++t) {
    const Operand& x = in.inputs.at(t + (settled ? 1 : 0));
    const int64_t tensor = settled ? static_cast<int64_t>(in.list("tensors").at(t)) : 0;
    const int64_t rows = x.dim(1), cols = x.dim(2);
    for (int64_t i = 0; i < x.dim(0); ++i)
      items.push_back({x, in.outputs.at(t), i * rows * cols, std::min(rows, cols),
                       std::max(rows, cols), rows > cols, tensor});
  }
  std::stable_sort(items.begin(), items.end(),
                   [](const Item& a, const Item& b) { return a.products() > b.products(); });

  // Products give the same bits on any pool, so a matrix may be worked on by all threads or by one.
  const auto isLarge = [&](const Item& m) { return !method.exact() && m.products() >= kLarge; };
  const size_t shared =
      static_cast<size_t>(std::find_if_not(items.begin(), items.end(), isLarge) - items.begin());
  std::vector<size_t> starts;  // of tasks, and the end of the last
  double work = kTask;
  int64_t perThread = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i < shared) {
      in.scratchBytes = std::max(in.scratchBytes, method.scratchBytes(items[i], in.threads));
      continue;
    }
    if (work >= kTask) starts.push_back(i), work = 0;
    work += items[i].products();
    perThread = std::max(perThread, method.scratchBytes(items[i], 1));
  }
  const int64_t tasks = static_cast<int64_t>(starts.size());
  starts.push_back(items.size());
  // Whether each has failed, in front of the scratch of the matrices.
  const int64_t header = (static_cast<int64_t>(items.size()) + 63) / 64 * 64;
  in.scratchBytes = header + std::max(in.scratchBytes, perThread * in.threads);
  const auto alone = std::make_shared<ThreadPool>(1);
  return [=](const Step& step) {
    char* const failed = step.scratch;
    char* const scratch = step.scratch + header;
    for (size_t i = 0; i < shared; ++i)
      failed[i] = !orthogonalize(items[i], method, step, scratch, step.pool);
    step.pool.parallel(tasks, [&](int64_t task, int thread) {
      const size_t t = static_cast<size_t>(task);
      for (size_t i = starts[t]; i < starts[t + 1]; ++i)
        failed[i] = !orthogonalize(items[i], method, step, scratch + thread * perThread, *alone);
    });
    if (settled) stopFor(items, failed, status.i32(step), step.row[stepSlot]);
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
