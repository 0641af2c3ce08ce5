// Shampoo's inverse roots and K-FAC's damped inverses of many matrices in one call, under the
// failure policy of settle.h.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "cpu/linalg/cholesky.h"
#include "cpu/linalg/inverse_root.h"
#include "cpu/base/kernels.h"
#include "cpu/linalg/matrix_tasks.h"
#include "cpu/linalg/settle.h"
#include "ops/factor_blocks.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

int64_t align64(int64_t bytes) { return (bytes + 63) / 64 * 64; }

// One matrix of the list, and how its root is taken.
struct RootTask {
  Operand statistics, roots, bases;  // bases: of warm roots alone
  int64_t n, index;                  // of the operands' batch
  RootOptions options;
  double tensor;

  const float* statistic(const Step& step) const {
    return statistics.f32(step) + index * packedSize(n);
  }
  float* root(const Step& step) const { return roots.f32(step) + index * n * n; }
  float* basis(const Step& step) const {
    return options.warm ? bases.f32(step) + index * n * n : nullptr;
  }
  int64_t correctedBytes() const {
    return align64(packedSize(n) * static_cast<int64_t>(sizeof(float)));
  }
  int64_t scratchBytes() const {
    return correctedBytes() + align64(static_cast<int64_t>(inverseRootScratchBytes(n, options)));
  }
};

std::vector<RootTask> rootTasks(const Instruction& in) {
  std::vector<RootTask> tasks;
  const bool warm = in.integer("warm") != 0;
  const size_t stride = warm ? 3 : 2;
  for (size_t i = 0; i < in.list("p").size(); ++i) {
    RootOptions options;
    options.p = in.list("p")[i];
    options.ridge = in.number("ridge");
    options.epsilon = in.number("epsilon");
    options.newton = in.integer("newton") != 0;
    options.warm = warm;
    options.sampled = true;
    const size_t first = 3 + stride * i;
    const Operand &statistics = in.inputs.at(first), &roots = in.inputs.at(first + 1);
    const Operand bases = warm ? in.inputs.at(first + 2) : Operand();
    for (int64_t k = 0; k < roots.dim(0); ++k)
      tasks.push_back(
          {statistics, roots, bases, roots.dim(1), k, options, in.list("tensors").at(i)});
  }
  return tasks;
}

// The statistic, or in the scratch what it is without its bias towards the zero it began at.
Lower corrected(const RootTask& task, double correction, const Step& step, char* scratch) {
  const float* const a = task.statistic(step);
  if (correction == 1) return packedMatrix(a, task.n);
  float* const out = reinterpret_cast<float*>(scratch);
  for (int64_t j = 0; j < packedSize(task.n); ++j) out[j] = static_cast<float>(a[j] * correction);
  return packedMatrix(out, task.n);
}

}  // namespace

Run op_inverseRoots(Instruction& in) {
  const Operand status = in.inputs.at(0);
  const Operand failures = in.inputs.at(1);
  const Operand updates = in.inputs.at(2);
  const std::vector<RootTask> tasks = rootTasks(in);
  const double beta = in.number("beta");
  const int64_t stepSlot = in.integer("stepSlot");
  // Results wait in front of the scratch of the matrices.
  const int64_t header = align64(static_cast<int64_t>(tasks.size() * sizeof(MatrixStatus)));
  std::vector<int64_t> orders, bytes;
  for (const RootTask& task : tasks) {
    orders.push_back(task.n);
    bytes.push_back(task.scratchBytes());
  }
  const MatrixTasks forMatrices(orders, bytes, in.threads);
  in.scratchBytes = header + forMatrices.scratchBytes();
  return [=](const Step& step) {
    int32_t* words = status.i32(step);
    if (standsStill(words) || *updates.i32(step) == 0) return;
    const double correction = beta == 1 ? 1 : 1 / (1 - std::pow(beta, *updates.i32(step)));
    MatrixStatus* results = reinterpret_cast<MatrixStatus*>(step.scratch);
    const auto begin = [&](size_t t, char* scratch) {
      const RootTask& task = tasks[t];
      const Lower a = corrected(task, correction, step, scratch);
      beginInverseRoot(a, task.options, scratch + task.correctedBytes());
    };
    const auto finish = [&](size_t t, char* scratch, ThreadPool& pool) {
      const RootTask& task = tasks[t];
      const float* const a =
          correction == 1 ? task.statistic(step) : reinterpret_cast<const float*>(scratch);
      results[t] = finishInverseRoot(packedMatrix(a, task.n), task.options, task.root(step),
                                     scratch + task.correctedBytes(), pool, task.basis(step))
                       .status;
    };
    forMatrices(step, step.scratch + header, begin, finish);
    for (size_t t = 0; t < tasks.size(); ++t)
      settle(words, failures.i32(step)[t], results[t], tasks[t].tensor, step.row[stepSlot]);
  };
}

namespace {

// tr M / dim M of all blocks together
double meanTrace(const std::vector<FactorBlock>& blocks, size_t begin, size_t end,
                 const Step& step) {
  double trace = 0;
  int64_t order = 0;
  for (size_t b = begin; b < end; ++b) {
    const float* const m = blocks[b].factor.f32(step);
    const int64_t n = blocks[b].order();
    for (int64_t i = 0; i < n; ++i) trace += m[blocks[b].isDiagonal() ? i : packedSize(i) + i];
    order += n;
  }
  return trace / static_cast<double>(order);
}

// out ← 1 / (d + shift); writes nothing unless all of them are positive and fit a float.
MatrixStatus reciprocals(const float* d, int64_t n, double shift, float* out) {
  for (int64_t i = 0; i < n; ++i) {
    if (!std::isfinite(d[i])) return MatrixStatus::notFinite;
    const float x = static_cast<float>(1 / (d[i] + shift));
    if (!(x > 0 && std::isfinite(x))) return MatrixStatus::notPositive;
  }
  for (int64_t i = 0; i < n; ++i) out[i] = static_cast<float>(1 / (d[i] + shift));
  return MatrixStatus::ok;
}

}  // namespace

Run op_kfacInverses(Instruction& in) {
  const Operand status = in.inputs.at(0);
  const Operand failures = in.inputs.at(1);
  const Operand updates = in.inputs.at(2);
  const Operand damping = in.inputs.at(3);
  const FactorBlocks factors(in, false);
  const std::vector<FactorBlock> blocks = factors.blocks;
  const std::vector<FactorLayer> layers = factors.layers;
  std::vector<size_t> layerOf;  // a block's
  for (size_t l = 0; l < layers.size(); ++l) layerOf.resize(layers[l].end, l);
  const int64_t stepSlot = in.integer("stepSlot");
  const int64_t header = align64(static_cast<int64_t>(blocks.size() * sizeof(MatrixStatus)));
  std::vector<int64_t> orders, bytes;
  for (const FactorBlock& block : blocks) {
    const int64_t order = block.isDiagonal() ? 1 : block.order();
    orders.push_back(order);
    bytes.push_back(static_cast<int64_t>(choleskyInverseScratchBytes(order)));
  }
  const MatrixTasks forMatrices(orders, bytes, in.threads);
  in.scratchBytes = header + forMatrices.scratchBytes();
  return [=](const Step& step) {
    int32_t* words = status.i32(step);
    if (standsStill(words) || *updates.i32(step) == 0) return;
    MatrixStatus* results = reinterpret_cast<MatrixStatus*>(step.scratch);
    const auto invert = [&](size_t i, char* scratch, ThreadPool& pool) {
      const FactorLayer& layer = layers[layerOf[i]];
      const double ratio = meanTrace(blocks, layer.a, layer.g, step) /
                           meanTrace(blocks, layer.g, layer.end, step);
      const double pi = ratio > 0 && std::isfinite(ratio) ? std::sqrt(ratio) : 1;
      const double root = std::sqrt(static_cast<double>(*damping.f32(step)));
      const double shift = i < layer.g ? pi * root : root / pi;
      const float* const factor = blocks[i].factor.f32(step);
      float* const inverse = blocks[i].result.f32(step);
      const int64_t n = blocks[i].order();
      results[i] = blocks[i].isDiagonal()
                       ? reciprocals(factor, n, shift, inverse)
                       : choleskyInverse(packedMatrix(factor, n), shift, inverse, scratch, pool);
    };
    forMatrices(step, step.scratch + header, [](size_t, char*) {}, invert);
    for (const FactorLayer& layer : layers) {
      for (const size_t side : {0, 1}) {
        const MatrixStatus result =
            together(results + layer.begin(side), results + layer.last(side));
        const size_t counter = 2 * static_cast<size_t>(layer.tensor) + side;
        settle(words, failures.i32(step)[counter], result, layer.tensor, step.row[stepSlot]);
      }
    }
  };
}

Run op_countUpdate(Instruction& in) {
  const Operand status = in.inputs.at(0);
  const Operand counter = in.inputs.at(1);
  const bool weighed = in.inputs.size() > 2;
  const Operand mass = weighed ? in.inputs[2] : Operand{};
  return [=](const Step& step) {
    if (standsStill(status.i32(step))) return;
    constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
    const int64_t updates = std::min(std::abs(int64_t{*counter.i32(step)}), kMost - 1);
    const bool counts = !weighed || *mass.f32(step) > 0;
    *counter.i32(step) = static_cast<int32_t>(counts ? updates + 1 : -updates);
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
