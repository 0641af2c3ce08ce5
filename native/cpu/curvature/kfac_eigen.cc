// K-FAC in the eigenbasis: eigenvectors of A and G of every layer and 1 / (g_o a_i + λ) of their
// eigenvalues, under the failure policy (src/ops/kfac_eigen.ts).
#include <algorithm>
#include <cmath>

#include "cpu/base/kernels.h"
#include "cpu/eigen/eigh.h"
#include "cpu/linalg/matrix_tasks.h"
#include "cpu/linalg/settle.h"
#include "ops/factor_blocks.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

// 1 / (g_o a_i + λ) into the scale; false, and nothing written, where one does not fit a float.
bool writeScale(const double* g, int64_t m, const double* a, int64_t n, double damping,
                float* scale) {
  const auto at = [&](int64_t o, int64_t i) {
    return static_cast<float>(1 / (std::max(g[o], 0.0) * std::max(a[i], 0.0) + damping));
  };
  for (int64_t o = 0; o < m; ++o)
    for (int64_t i = 0; i < n; ++i)
      if (!std::isfinite(at(o, i))) return false;
  for (int64_t o = 0; o < m; ++o)
    for (int64_t i = 0; i < n; ++i) scale[o * n + i] = at(o, i);
  return true;
}

void writeBasis(const double* vectors, int64_t n, float* basis) {
  for (int64_t i = 0; i < n * n; ++i) basis[i] = static_cast<float>(vectors[i]);
}

MatrixStatus copyFinite(const float* from, int64_t n, double* to) {
  std::copy(from, from + n, to);
  const bool finite = std::all_of(from, from + n, [](float x) { return std::isfinite(x); });
  return finite ? MatrixStatus::ok : MatrixStatus::notFinite;
}

}  // namespace

Run op_kfacEigen(Instruction& in) {
  const Operand status = in.inputs.at(0), failures = in.inputs.at(1);
  const Operand updates = in.inputs.at(2), damping = in.inputs.at(3);
  const int64_t stepSlot = in.integer("stepSlot");
  const FactorBlocks factors(in, true);
  const std::vector<FactorBlock> blocks = factors.blocks;
  const std::vector<FactorLayer> layers = factors.layers;
  // Where doubles stand: eigenvalues one block after the other, so that those of a side are one row,
  // then eigenvectors.
  std::vector<int64_t> values{0}, vectors, orders, bytes;
  for (const FactorBlock& block : blocks) values.push_back(values.back() + block.order());
  int64_t doubles = values.back();
  for (const FactorBlock& block : blocks) {
    vectors.push_back(doubles);
    if (!block.isDiagonal()) doubles += block.order() * block.order();
    orders.push_back(block.isDiagonal() ? 1 : block.order());
    bytes.push_back(static_cast<int64_t>(eighScratchBytes(orders.back())));
  }
  const int64_t outcomes = doubles * static_cast<int64_t>(sizeof(double));
  const int64_t found = static_cast<int64_t>(blocks.size() * sizeof(MatrixStatus));
  const int64_t header = (outcomes + found + 63) / 64 * 64;
  const MatrixTasks forMatrices(orders, bytes, in.threads);
  in.scratchBytes = header + forMatrices.scratchBytes();
  return [=](const Step& step) {
    int32_t* const words = status.i32(step);
    if (standsStill(words) || *updates.i32(step) == 0) return;
    double* const numbers = reinterpret_cast<double*>(step.scratch);
    MatrixStatus* const found = reinterpret_cast<MatrixStatus*>(step.scratch + outcomes);
    const auto begin = [&](size_t t, char* scratch) {
      if (blocks[t].isDiagonal()) return;
      beginEigh(packedMatrix(blocks[t].factor.f32(step), blocks[t].order()), scratch);
    };
    const auto finish = [&](size_t t, char* scratch, ThreadPool& pool) {
      const FactorBlock& block = blocks[t];
      double* const own = numbers + values[t];
      found[t] = block.isDiagonal()
                     ? copyFinite(block.factor.f32(step), block.order(), own)
                     : finishEigh(block.order(), own, numbers + vectors[t], scratch, pool);
    };
    forMatrices(step, step.scratch + header, begin, finish);
    for (const FactorLayer& layer : layers) {
      const auto valuesOf = [&](size_t block) { return numbers + values[block]; };
      MatrixStatus result = together(found + layer.a, found + layer.end);
      if (result == MatrixStatus::ok &&
          !writeScale(valuesOf(layer.g), layer.after.dim(0), valuesOf(layer.a), layer.after.dim(1),
                      *damping.f32(step), layer.after.f32(step)))
        result = MatrixStatus::overflow;
      if (result == MatrixStatus::ok)
        for (size_t b = layer.a; b < layer.end; ++b)
          if (!blocks[b].isDiagonal())
            writeBasis(numbers + vectors[b], blocks[b].order(), blocks[b].result.f32(step));
      settle(words, failures.i32(step)[static_cast<size_t>(layer.tensor)], result, layer.tensor,
             step.row[stepSlot]);
    }
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
