// Functions of batches of symmetric matrices, a matrix a task: eigh, inverseRoot.
#include <algorithm>
#include <cmath>

#include "cpu/base/kernels.h"
#include "cpu/eigen/eigh.h"
#include "cpu/linalg/inverse_root.h"
#include "cpu/linalg/matrix_tasks.h"

namespace flatmin {
namespace FLATMIN_ISA {

Run op_eigh(Instruction& in) {
  const Operand matrices = in.inputs.at(0);
  const Operand values = in.outputs.at(0);
  const Operand vectors = in.outputs.at(1);
  const int64_t count = matrices.dim(0), n = matrices.dim(1);
  struct Work {
    double *values, *vectors;
    char* eigh;
  };
  const auto take = [n](Scratch* scratch) {
    return Work{scratch->take<double>(n), scratch->take<double>(n * n),
                scratch->take<char>(static_cast<int64_t>(eighScratchBytes(n)))};
  };
  Scratch dry(nullptr);
  take(&dry);
  const size_t matrixCount = static_cast<size_t>(count);
  const MatrixTasks forMatrices(
      std::vector<int64_t>(matrixCount, n),
      std::vector<int64_t>(matrixCount, static_cast<int64_t>(dry.bytes())), in.threads);
  in.scratchBytes = forMatrices.scratchBytes();
  return [=](const Step& step) {
    const auto workIn = [&](char* memory) {
      Scratch scratch(memory);
      return take(&scratch);
    };
    const auto begin = [&](size_t index, char* scratch) {
      const int64_t i = static_cast<int64_t>(index);
      beginEigh(wholeMatrix(matrices.f32(step) + i * n * n, n), workIn(scratch).eigh);
    };
    const auto finish = [&](size_t index, char* scratch, ThreadPool& pool) {
      const int64_t i = static_cast<int64_t>(index);
      const Work work = workIn(scratch);
      float* value = values.f32(step) + i * n;
      float* vector = vectors.f32(step) + i * n * n;
      if (finishEigh(n, work.values, work.vectors, work.eigh, pool) == MatrixStatus::ok) {
        std::copy_n(work.values, n, value);
        std::copy_n(work.vectors, n * n, vector);
      } else {
        std::fill_n(value, n, NAN);
        std::fill_n(vector, n * n, NAN);
      }
    };
    forMatrices(step, step.scratch, begin, finish);
  };
}

Run op_inverseRoot(Instruction& in) {
  const Operand matrices = in.inputs.at(0);
  const Operand roots = in.outputs.at(0);
  const Operand residuals = in.outputs.at(1);
  const Operand outcomes = in.outputs.at(2);
  const int64_t count = matrices.dim(0), n = matrices.dim(1);
  RootOptions options;
  options.p = in.number("p");
  options.ridge = in.number("ridge");
  options.epsilon = in.number("epsilon");
  options.newton = in.integer("newton") != 0;
  const size_t matrixCount = static_cast<size_t>(count);
  const MatrixTasks forMatrices(
      std::vector<int64_t>(matrixCount, n),
      std::vector<int64_t>(matrixCount, static_cast<int64_t>(inverseRootScratchBytes(n, options))),
      in.threads);
  in.scratchBytes = forMatrices.scratchBytes();
  return [=](const Step& step) {
    const auto begin = [&](size_t index, char* scratch) {
      const int64_t i = static_cast<int64_t>(index);
      beginInverseRoot(wholeMatrix(matrices.f32(step) + i * n * n, n), options, scratch);
    };
    const auto finish = [&](size_t index, char* scratch, ThreadPool& pool) {
      const int64_t i = static_cast<int64_t>(index);
      float* root = roots.f32(step) + i * n * n;
      const Lower matrix = wholeMatrix(matrices.f32(step) + i * n * n, n);
      const RootResult result = finishInverseRoot(matrix, options, root, scratch, pool);
      const bool converged = result.status == MatrixStatus::ok;
      if (!converged) std::fill_n(root, n * n, NAN);
      residuals.f32(step)[i] = static_cast<float>(result.residual);
      outcomes.i32(step)[2 * i] = result.iterations;
      outcomes.i32(step)[2 * i + 1] = converged;
    };
    forMatrices(step, step.scratch, begin, finish);
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
