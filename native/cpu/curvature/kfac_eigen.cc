// K-FAC in the eigenbasis: eigenvectors of A and G of every layer and 1 / (g_o a_i + λ) of their
// eigenvalues, under the failure policy (src/ops/kfac_eigen.ts).
#include <algorithm>
#include <cmath>

#include "cpu/base/kernels.h"
#include "cpu/eigen/eigh.h"
#include "cpu/linalg/matrix_tasks.h"
#include "cpu/linalg/settle.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

struct Factor {
  Operand matrix, basis;
  int64_t n, values, vectors;  // where its doubles stand
  bool diagonal;               // the vector of one: its values, without a basis
};

struct Layer {
  Operand scale;
  double tensor;
};

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
  const Operand status = in.inputs.at(0), failures = in.inputs.at(1), damping = in.inputs.at(2);
  const int64_t stepSlot = in.integer("stepSlot");
  std::vector<Factor> factors;  // A and G of a layer, then of the next
  std::vector<Layer> layers;
  std::vector<int64_t> orders, bytes;
  int64_t doubles = 0;
  for (size_t l = 0; l < in.list("tensors").size(); ++l) {
    for (size_t side = 0; side < 2; ++side) {
      const Operand &matrix = in.inputs.at(3 + 5 * l + side),
                    &basis = in.inputs.at(5 + 5 * l + side);
      const bool diagonal = basis.type.shape.size() == 1;
      const int64_t n = basis.dim(0);
      factors.push_back({matrix, basis, n, doubles, doubles + n, diagonal});
      orders.push_back(diagonal ? 1 : n);
      doubles += diagonal ? n : n + n * n;
      bytes.push_back(static_cast<int64_t>(eighScratchBytes(orders.back())));
    }
    layers.push_back({in.inputs.at(7 + 5 * l), in.list("tensors")[l]});
  }
  const int64_t outcomes = doubles * static_cast<int64_t>(sizeof(double));
  const int64_t found = static_cast<int64_t>(factors.size() * sizeof(MatrixStatus));
  const int64_t header = (outcomes + found + 63) / 64 * 64;
  const MatrixTasks forMatrices(orders, bytes, in.threads);
  in.scratchBytes = header + forMatrices.scratchBytes();
  return [=](const Step& step) {
    int32_t* const words = status.i32(step);
    if (standsStill(words)) return;
    double* const numbers = reinterpret_cast<double*>(step.scratch);
    MatrixStatus* const found = reinterpret_cast<MatrixStatus*>(step.scratch + outcomes);
    const auto begin = [&](size_t t, char* scratch) {
      if (factors[t].diagonal) return;
      beginEigh(packedMatrix(factors[t].matrix.f32(step), factors[t].n), scratch);
    };
    const auto finish = [&](size_t t, char* scratch, ThreadPool& pool) {
      const Factor& f = factors[t];
      if (f.diagonal) {
        found[t] = copyFinite(f.matrix.f32(step), f.n, numbers + f.values);
        return;
      }
      found[t] = finishEigh(f.n, numbers + f.values, numbers + f.vectors, scratch, pool);
    };
    forMatrices(step, step.scratch + header, begin, finish);
    for (size_t l = 0; l < layers.size(); ++l) {
      const Factor &a = factors[2 * l], &g = factors[2 * l + 1];
      const MatrixStatus ofA = found[2 * l], ofG = found[2 * l + 1];
      MatrixStatus result = ofA == MatrixStatus::ok || ofG == MatrixStatus::notFinite ? ofG : ofA;
      if (result == MatrixStatus::ok &&
          !writeScale(numbers + g.values, g.n, numbers + a.values, a.n, *damping.f32(step),
                      layers[l].scale.f32(step)))
        result = MatrixStatus::overflow;
      if (result == MatrixStatus::ok)
        for (const Factor* f : {&a, &g})
          if (!f->diagonal) writeBasis(numbers + f->vectors, f->n, f->basis.f32(step));
      settle(words, failures.i32(step)[static_cast<size_t>(layers[l].tensor)], result,
             layers[l].tensor, step.row[stepSlot]);
    }
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
