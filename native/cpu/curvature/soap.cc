// SOAP (Vyas et al. 2024): Adam's direction in turned coordinates, and the eigenbases that turn
// them (src/ops/soap.ts).
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "cpu/base/dot.h"
#include "cpu/base/kernels.h"
#include "cpu/eigen/eigh.h"
#include "cpu/linalg/echelon.h"
#include "cpu/linalg/qr.h"
#include "cpu/updates/update.h"

namespace flatmin {
namespace FLATMIN_ISA {

Run op_soapDirection(Instruction& in) {
  const Operand status = in.inputs.at(0), updates = in.inputs.at(1);
  const std::vector<Operand> tensors(in.inputs.begin() + 2, in.inputs.end());
  const std::vector<Operand> directions = in.outputs;
  const double beta1 = in.number("beta1"), beta2 = in.number("beta2");
  const float eps = static_cast<float>(in.number("eps"));
  TensorChunks chunks;
  for (size_t t = 0; t < directions.size(); ++t)
    chunks.add(static_cast<int>(t), directions[t].size());
  return [=](const Step& step) {
    const int32_t count = *updates.i32(step);
    const bool still = standsStill(status.i32(step)) || count == 0;
    const float b1 = static_cast<float>(beta1), rest1 = static_cast<float>(1 - beta1);
    const float b2 = static_cast<float>(beta2), rest2 = static_cast<float>(1 - beta2);
    const float c1 = static_cast<float>(1 / (1 - std::pow(beta1, count)));
    const float c2 = static_cast<float>(1 / (1 - std::pow(beta2, count)));
    step.pool.parallel(chunks.count(), [&](int64_t i, int) {
      const auto chunk = chunks[i];
      const size_t t = static_cast<size_t>(chunk.tensor);
      float* const u = directions[t].f32(step);
      if (still) {
        std::fill(u + chunk.begin, u + chunk.end, 0.0f);
        return;
      }
      const float* const g = tensors[5 * t].f32(step);
      float* const m = tensors[5 * t + 1].f32(step);
      const float* const turnedGrad = tensors[5 * t + 2].f32(step);
      const float* const turnedMean = tensors[5 * t + 3].f32(step);  // m itself where nothing turns
      float* const v = tensors[5 * t + 4].f32(step);
      for (int64_t j = chunk.begin; j < chunk.end; ++j) {
        const float turned = b1 * turnedMean[j] + rest1 * turnedGrad[j];
        const float square = b2 * v[j] + rest2 * turnedGrad[j] * turnedGrad[j];
        m[j] = b1 * m[j] + rest1 * g[j];
        v[j] = square;
        u[j] = c1 * turned / (std::sqrt(c2 * square) + eps);
      }
    });
  };
}

namespace {

// One mode of a tensor: its statistic, its basis, and the squares that lie along it.
struct SoapMode {
  Operand statistic, basis, v;
  int64_t n, outer, inner;
  double tensor;
};

// Of the largest value: what float32 leaves open of a statistic, ten roundings of it.
constexpr double kOpen = 1e-6;

struct Work {
  double *values, *squares, *column, *matrix, *turned, *rows;
  int64_t *order, *places;
  float* old;
  char* eigh;

  static Work take(int64_t n, int64_t elements, Scratch* scratch) {
    Work work;
    work.values = scratch->take<double>(n);
    work.squares = scratch->take<double>(n);
    work.column = scratch->take<double>(n);
    work.matrix = scratch->take<double>(n * n);
    work.turned = scratch->take<double>(n * n);
    work.rows = scratch->take<double>(n * n);
    work.order = scratch->take<int64_t>(n);
    work.places = scratch->take<int64_t>(n);
    work.old = scratch->take<float>(elements);
    work.eigh = scratch->take<char>(static_cast<int64_t>(eighScratchBytes(n)));
    return work;
  }
};

void writeSoapBasis(const double* rows, int64_t n, float* basis) {
  for (int64_t i = 0; i < n * n; ++i) basis[i] = static_cast<float>(rows[i]);
}

void turnSpan(double* rows, int64_t count, int64_t n, const Work& work) {
  echelon(rows, count, n, work.squares, work.turned, work.column);
}

// A basis into work.rows whose first `count` rows are those there, up to signs, and whose others
// are the unit vectors of the columns without a pivot, in order, each made orthogonal to the rows
// before it: a function of the span of the rows alone.
void complete(int64_t count, int64_t n, const Work& work) {
  std::copy_n(work.rows, count * n, work.matrix);
  turnSpan(work.matrix, count, n, work);
  std::copy_n(work.rows, count * n, work.matrix);
  std::fill(work.matrix + count * n, work.matrix + n * n, 0.0);
  for (int64_t c = 0, row = count; c < n; ++c)
    if (work.squares[c] == 0) work.matrix[row++ * n + c] = 1;
  orthonormalRows(work.matrix, n, 0, work.column, work.squares, work.rows);
}

// Rows of eigenvectors, the largest value first; nothing is written where that fails. Values that
// float32 cannot tell apart leave open which basis of their vectors' span it is; it is the one that
// depends on that span alone.
MatrixStatus setBasis(Lower a, const Work& work, float* basis) {
  const int64_t n = a.n;
  ThreadPool alone(1);
  const MatrixStatus found = eigh(a, work.values, work.rows, work.eigh, alone);
  if (found != MatrixStatus::ok) return found;
  std::reverse(work.values, work.values + n);
  for (int64_t i = 0; i < n / 2; ++i)
    std::swap_ranges(work.rows + i * n, work.rows + (i + 1) * n, work.rows + (n - 1 - i) * n);
  const double gap = kOpen * work.values[0];
  for (int64_t begin = 0, end = 1; end <= n; ++end) {
    if (end < n && work.values[end - 1] - work.values[end] <= gap) continue;
    // The last span may be most of the space: then what is before it says less.
    if (end == n && end - begin > begin)
      complete(begin, n, work);
    else if (end - begin > 1)
      turnSpan(work.rows + begin * n, end - begin, n, work);
    begin = end;
  }
  writeSoapBasis(work.rows, n, basis);
  return MatrixStatus::ok;
}

// The rows that depend on those before them come last, as they were in the basis, made orthogonal
// to the others; the order follows. Both matrices of the work are as orthonormalRows left them.
void keepDependent(const float* basis, int64_t n, const Work& work) {
  const auto depends = [&](int64_t i) { return work.matrix[i * (n + 1)] == 0; };
  std::iota(work.places, work.places + n, int64_t{0});
  const int64_t* const end = work.places + n;
  const auto left =
      std::stable_partition(work.places, work.places + n, [&](int64_t i) { return !depends(i); });
  if (left == end) return;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t from = work.places[i];
    double* const row = work.turned + i * n;
    if (depends(from))
      std::copy_n(basis + work.order[from] * n, n, row);
    else
      std::copy_n(work.rows + from * n, n, row);
    work.places[i] = work.order[from];
  }
  std::copy_n(work.places, n, work.order);
  orthonormalRows(work.turned, n, kOpen, work.values, work.squares, work.rows);
}

// One step of orthogonal iteration from the basis' rows q, those of the largest q^T A q first; the
// order is left in the scratch. Rows whose image float32 cannot tell from those of the rows before
// them come last, as they were, made orthogonal to the others.
void turnBasis(Lower a, const Work& work, float* basis) {
  const int64_t n = a.n;
  for (int64_t r = 0; r < n; ++r) {
    const float* const row = a.row(r);
    for (int64_t c = 0; c <= r; ++c) work.matrix[r * n + c] = work.matrix[c * n + r] = row[c];
  }
  for (int64_t i = 0; i < n; ++i) {
    double* const turned = work.turned + i * n;
    std::fill(turned, turned + n, 0.0);
    for (int64_t k = 0; k < n; ++k) {
      const double q = basis[i * n + k];
      const double* const row = work.matrix + k * n;
      for (int64_t j = 0; j < n; ++j) turned[j] += q * row[j];
    }
    work.values[i] = 0;
    for (int64_t k = 0; k < n; ++k) work.values[i] += turned[k] * basis[i * n + k];
  }
  const double least = kOpen * *std::max_element(work.values, work.values + n);
  for (int64_t i = 0; i < n; ++i)
    if (work.values[i] <= least) work.values[i] = 0;
  std::iota(work.order, work.order + n, int64_t{0});
  std::stable_sort(work.order, work.order + n,
                   [&](int64_t i, int64_t j) { return work.values[i] > work.values[j]; });
  double longest = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double* const image = work.turned + work.order[i] * n;
    longest = std::max(longest, std::sqrt(dot(image, image, n)));
    std::copy_n(image, n, work.matrix + i * n);
  }
  orthonormalRows(work.matrix, n, kOpen * longest, work.values, work.squares, work.rows);
  keepDependent(basis, n, work);
  writeSoapBasis(work.rows, n, basis);
}

// v[o, i, r] <- v[o, order[i], r]
void permute(const SoapMode& mode, const Work& work, float* v) {
  std::memcpy(work.old, v, sizeof(float) * static_cast<size_t>(mode.v.size()));
  for (int64_t o = 0; o < mode.outer; ++o)
    for (int64_t i = 0; i < mode.n; ++i)
      std::copy_n(work.old + (o * mode.n + work.order[i]) * mode.inner, mode.inner,
                  v + (o * mode.n + i) * mode.inner);
}

}  // namespace

Run op_soapBases(Instruction& in) {
  const Operand status = in.inputs.at(0), updates = in.inputs.at(1);
  const int64_t stepSlot = in.integer("stepSlot"), dueSlot = in.integer("dueSlot");
  std::vector<SoapMode> modes;
  std::vector<size_t> starts;  // of tensors, whose modes follow each other, and the end of the last
  int64_t n = 0, elements = 0;
  for (size_t i = 0; i < in.list("tensors").size(); ++i) {
    const Operand &basis = in.inputs.at(3 + 3 * i), &v = in.inputs.at(4 + 3 * i);
    modes.push_back({in.inputs.at(2 + 3 * i), basis, v, basis.dim(1),
                     static_cast<int64_t>(in.list("outer").at(i)),
                     static_cast<int64_t>(in.list("inner").at(i)), in.list("tensors")[i]});
    if (i == 0 || modes[i].tensor != modes[i - 1].tensor) starts.push_back(i);
    n = std::max(n, basis.dim(1));
    elements = std::max(elements, v.size());
  }
  const int64_t tensors = static_cast<int64_t>(starts.size());
  starts.push_back(modes.size());
  Scratch dry(nullptr);
  Work::take(n, elements, &dry);
  const int64_t found = static_cast<int64_t>(modes.size() * sizeof(MatrixStatus));
  const int64_t header = (found + 63) / 64 * 64;
  const int64_t perThread = static_cast<int64_t>(dry.bytes() + 63) / 64 * 64;
  in.scratchBytes = header + perThread * in.threads;
  return [=](const Step& step) {
    int32_t* const words = status.i32(step);
    const bool first = *updates.i32(step) == 0;
    if (standsStill(words) || (!first && step.row[dueSlot] == 0)) return;
    MatrixStatus* const results = reinterpret_cast<MatrixStatus*>(step.scratch);
    step.pool.parallel(tensors, [&](int64_t t, int thread) {
      Scratch scratch(step.scratch + header + thread * perThread);
      const Work work = Work::take(n, elements, &scratch);
      for (size_t i = starts[static_cast<size_t>(t)]; i < starts[static_cast<size_t>(t) + 1]; ++i) {
        const SoapMode& mode = modes[i];
        const Lower a = packedMatrix(mode.statistic.f32(step), mode.n);
        results[i] = isFinite(a) ? MatrixStatus::ok : MatrixStatus::notFinite;
        if (results[i] != MatrixStatus::ok) continue;
        if (first) {
          results[i] = setBasis(a, work, mode.basis.f32(step));
        } else {
          turnBasis(a, work, mode.basis.f32(step));
          permute(mode, work, mode.v.f32(step));
        }
      }
    });
    for (size_t i = 0; i < modes.size() && !words[kStop]; ++i) {
      if (results[i] == MatrixStatus::ok) continue;
      if (results[i] != MatrixStatus::notFinite) {
        countUp(words[kRootFailures]);
        continue;
      }
      words[kStop] = 3;
      words[kTensor] = static_cast<int32_t>(modes[i].tensor);
      words[kStep] = static_cast<int32_t>(step.row[stepSlot]);
    }
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
