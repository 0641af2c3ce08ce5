// Shampoo's inverse roots and K-FAC's damped inverses of many matrices in one call, under the
// failure policy: a failure keeps the last good matrix and counts; three in a row of one matrix, or
// an entry that is not finite, stop the run and name the tensor.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "cholesky.h"
#include "inverse_root.h"
#include "kernels.h"
#include "status.h"

namespace flatmin {
namespace FLATMIN_ISA {

static constexpr int32_t kPatience = 3;

static void settle(int32_t* words, int32_t& failures, MatrixStatus result, double tensor,
                   double step) {
  if (result == MatrixStatus::ok) {
    failures = 0;
    return;
  }
  failures += 1;
  words[kRootFailures] += 1;
  if (result != MatrixStatus::notFinite && failures < kPatience) return;
  if (words[kStop]) return;
  words[kStop] = result == MatrixStatus::notFinite ? 3 : 2;
  words[kTensor] = static_cast<int32_t>(tensor);
  words[kStep] = static_cast<int32_t>(step);
}

static int64_t align64(int64_t bytes) { return (bytes + 63) / 64 * 64; }

// Indices of matrices, largest first: the long tasks begin early.
static std::vector<size_t> bySize(const std::vector<Operand>& matrices) {
  std::vector<size_t> order(matrices.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return matrices[a].dim(0) > matrices[b].dim(0); });
  return order;
}

Run op_inverseRoots(Instruction& in) {
  const Operand status = in.inputs.at(0);
  const Operand failures = in.inputs.at(1);
  const Operand updates = in.inputs.at(2);
  std::vector<Operand> statistics, roots;
  for (size_t i = 3; i + 1 < in.inputs.size(); i += 2) {
    statistics.push_back(in.inputs[i]);
    roots.push_back(in.inputs[i + 1]);
  }
  const std::vector<double> tensors = in.list("tensors");
  const double beta = in.number("beta");
  const int64_t stepSlot = in.integer("stepSlot");
  std::vector<RootOptions> options;
  // A thread's scratch: the bias-corrected statistic, then what the root needs. Results wait in
  // front of it.
  const int64_t header = align64(static_cast<int64_t>(statistics.size() * sizeof(MatrixStatus)));
  int64_t perThread = 0;
  for (size_t i = 0; i < statistics.size(); ++i) {
    RootOptions root;
    root.p = in.list("p").at(i);
    root.ridge = in.number("ridge");
    root.epsilon = in.number("epsilon");
    root.newton = in.integer("newton") != 0;
    options.push_back(root);
    perThread = std::max(
        perThread,
        align64(statistics[i].type.bytes()) +
            align64(static_cast<int64_t>(inverseRootScratchBytes(statistics[i].dim(0), root))));
  }
  in.scratchBytes = header + perThread * in.threads;
  const std::vector<size_t> order = bySize(statistics);
  return [=](const Step& step) {
    int32_t* words = status.i32(step);
    if (standsStill(words) || *updates.i32(step) == 0) return;
    const double correction = beta == 1 ? 1 : 1 / (1 - std::pow(beta, *updates.i32(step)));
    MatrixStatus* results = reinterpret_cast<MatrixStatus*>(step.scratch);
    step.pool.parallel(static_cast<int64_t>(order.size()), [&](int64_t task, int thread) {
      const size_t i = order[static_cast<size_t>(task)];
      const int64_t n = statistics[i].dim(0);
      char* scratch = step.scratch + header + thread * perThread;
      const float* a = statistics[i].f32(step);
      if (correction != 1) {
        float* corrected = reinterpret_cast<float*>(scratch);
        for (int64_t j = 0; j < n * n; ++j) corrected[j] = static_cast<float>(a[j] * correction);
        a = corrected;
      }
      results[i] = inverseRoot(a, n, options[i], roots[i].f32(step),
                               scratch + align64(statistics[i].type.bytes()))
                       .status;
    });
    for (size_t i = 0; i < statistics.size(); ++i)
      settle(words, failures.i32(step)[i], results[i], tensors[i], step.row[stepSlot]);
  };
}

// tr M / dim M
static double meanTrace(const float* m, int64_t n) {
  double trace = 0;
  for (int64_t i = 0; i < n; ++i) trace += m[i * n + i];
  return trace / static_cast<double>(n);
}

Run op_kfacInverses(Instruction& in) {
  const Operand status = in.inputs.at(0);
  const Operand failures = in.inputs.at(1);
  const Operand damping = in.inputs.at(2);
  std::vector<Operand> factors, inverses;  // a and g of a layer, then of the next
  for (size_t i = 3; i + 1 < in.inputs.size(); i += 2) {
    factors.push_back(in.inputs[i]);
    inverses.push_back(in.inputs[i + 1]);
  }
  const std::vector<double> tensors = in.list("tensors");
  const int64_t stepSlot = in.integer("stepSlot");
  const int64_t header = align64(static_cast<int64_t>(factors.size() * sizeof(MatrixStatus)));
  int64_t perThread = 0;
  for (const Operand& factor : factors)
    perThread = std::max(perThread,
                         align64(static_cast<int64_t>(choleskyInverseScratchBytes(factor.dim(0)))));
  in.scratchBytes = header + perThread * in.threads;
  const std::vector<size_t> order = bySize(factors);
  return [=](const Step& step) {
    int32_t* words = status.i32(step);
    if (standsStill(words)) return;
    MatrixStatus* results = reinterpret_cast<MatrixStatus*>(step.scratch);
    step.pool.parallel(static_cast<int64_t>(order.size()), [&](int64_t task, int thread) {
      const size_t i = order[static_cast<size_t>(task)];
      const size_t a = i / 2 * 2, g = a + 1;
      const double ratio = meanTrace(factors[a].f32(step), factors[a].dim(0)) /
                           meanTrace(factors[g].f32(step), factors[g].dim(0));
      const double pi = ratio > 0 && std::isfinite(ratio) ? std::sqrt(ratio) : 1;
      const double root = std::sqrt(static_cast<double>(*damping.f32(step)));
      results[i] =
          choleskyInverse(factors[i].f32(step), factors[i].dim(0), i == a ? pi * root : root / pi,
                          inverses[i].f32(step), step.scratch + header + thread * perThread);
    });
    for (size_t i = 0; i < factors.size(); ++i) {
      const int64_t counter =
          2 * static_cast<int64_t>(tensors[i / 2]) + static_cast<int64_t>(i % 2);
      settle(words, failures.i32(step)[counter], results[i], tensors[i / 2], step.row[stepSlot]);
    }
  };
}

Run op_countUpdate(Instruction& in) {
  const Operand status = in.inputs.at(0);
  const Operand counter = in.inputs.at(1);
  return [=](const Step& step) {
    if (!standsStill(status.i32(step))) *counter.i32(step) += 1;
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
