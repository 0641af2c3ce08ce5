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
#include "cpu/linalg/matrix_tasks.h"
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
  int64_t begin;  // of its order
  double tensor;
};

// What is found of all modes: how it went, and in which order their rows are now.
struct Header {
  MatrixStatus* results;
  int64_t* order;

  static Header take(size_t modes, int64_t rows, Scratch* scratch) {
    Header header;
    header.results = scratch->take<MatrixStatus>(static_cast<int64_t>(modes));
    header.order = scratch->take<int64_t>(rows);
    return header;
  }
};

// Of the largest value: what float32 leaves open of a statistic, ten roundings of it.
constexpr double kOpen = 1e-6;

// Matrices are as orthonormalRows takes them.
struct Work {
  double *values, *squares, *along, *column, *turned, *matrix, *rows;
  int64_t* places;
  QrWork qr;
  char* eigh;  // on the memory of what is used after it

  static Work take(int64_t n, Scratch* scratch) {
    Work work;
    for (double** array : {&work.values, &work.squares, &work.along, &work.column})
      *array = scratch->take<double>(n);
    work.places = scratch->take<int64_t>(n);
    work.turned = scratch->take<double>(qrNumbers(n));
    Scratch before = *scratch;
    work.eigh = before.take<char>(static_cast<int64_t>(eighScratchBytes(n)));
    work.matrix = scratch->take<double>(qrNumbers(n));
    work.rows = scratch->take<double>(qrNumbers(n));
    work.qr = QrWork::take(n, scratch);
    if (before.bytes() > scratch->bytes()) *scratch = before;
    return work;
  }
  static int64_t bytes(int64_t n) {
    Scratch dry(nullptr);
    take(n, &dry);
    return static_cast<int64_t>(dry.bytes());
  }
};

void writeSoapBasis(const double* rows, int64_t stride, int64_t n, float* basis) {
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) basis[i * n + j] = static_cast<float>(rows[i * stride + j]);
}

// From orthonormal rows of length n, one after the other, a basis into work.rows whose first
// `count` rows are those, up to signs, and whose others are the unit vectors of the columns without
// a pivot, in order, each made orthogonal to the rows before it: a function of the span of the rows
// alone.
void complete(const double* vectors, int64_t count, int64_t n, const Work& work,
              ThreadPool& pool) {
  const int64_t stride = qrStride(n);
  std::copy_n(vectors, count * n, work.matrix);
  echelon(work.matrix, count, n, work.squares, work.along, work.column);
  std::fill_n(work.matrix, qrNumbers(n), 0.0);
  for (int64_t i = 0; i < count; ++i) std::copy_n(vectors + i * n, n, work.matrix + i * stride);
  for (int64_t c = 0, row = count; c < n; ++c)
    if (work.squares[c] == 0) work.matrix[row++ * stride + c] = 1;
  orthonormalRows(work.matrix, n, 0, work.qr, work.rows, pool);
}

// Rows of eigenvectors, the largest value first; nothing is written where that fails. Values that
// float32 cannot tell apart leave open which basis of their vectors' span it is; it is the one that
// depends on that span alone. beginEigh has begun.
MatrixStatus setBasis(int64_t n, const Work& work, float* basis, ThreadPool& pool) {
  double* const vectors = work.turned;
  const MatrixStatus found = finishEigh(n, work.values, vectors, work.eigh, pool);
  if (found != MatrixStatus::ok) return found;
  std::reverse(work.values, work.values + n);
  for (int64_t i = 0; i < n / 2; ++i)
    std::swap_ranges(vectors + i * n, vectors + (i + 1) * n, vectors + (n - 1 - i) * n);
  const double gap = kOpen * work.values[0];
  for (int64_t begin = 0, end = 1; end <= n; ++end) {
    if (end < n && work.values[end - 1] - work.values[end] <= gap) continue;
    // The last span may be most of the space: then what is before it says less.
    if (end == n && end - begin > begin) {
      complete(vectors, begin, n, work, pool);
      writeSoapBasis(work.rows, qrStride(n), n, basis);
      return MatrixStatus::ok;
    }
    if (end - begin > 1)
      echelon(vectors + begin * n, end - begin, n, work.squares, work.along, work.column);
    begin = end;
  }
  writeSoapBasis(vectors, n, n, basis);
  return MatrixStatus::ok;
}

// The rows that depend on those before them come last, as they were in the basis, made orthogonal
// to the others; the order follows. Both matrices of the work are as orthonormalRows left them.
void keepDependent(const float* basis, int64_t n, const Work& work, int64_t* order,
                   ThreadPool& pool) {
  const int64_t stride = qrStride(n);
  const auto depends = [&](int64_t i) { return work.matrix[i * (stride + 1)] == 0; };
  std::iota(work.places, work.places + n, int64_t{0});
  const int64_t* const end = work.places + n;
  const auto left =
      std::stable_partition(work.places, work.places + n, [&](int64_t i) { return !depends(i); });
  if (left == end) return;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t from = work.places[i];
    double* const row = work.turned + i * stride;
    if (depends(from))
      std::copy_n(basis + order[from] * n, n, row);
    else
      std::copy_n(work.rows + from * stride, n, row);
    work.places[i] = order[from];
  }
  std::copy_n(work.places, n, order);
  std::copy_n(work.turned, qrNumbers(n), work.matrix);
  orthonormalRows(work.matrix, n, kOpen, work.qr, work.rows, pool);
}

// work.turned <- the images A q of the basis' rows q, which are in work.rows then.
void image(Lower a, const float* basis, const Work& work, ThreadPool& pool) {
  constexpr int64_t W = kPanel<double>;
  const int64_t n = a.n, size = qrRows(n), stride = qrStride(n);
  fillSymmetric(a, 1, 0, work.matrix, pool);
  std::fill_n(work.rows, qrNumbers(n), 0.0);
  for (int64_t i = 0; i < n; ++i) std::copy_n(basis + i * n, n, work.rows + i * stride);
  pool.parallel(size / W, [&](int64_t j, int) {
    for (int64_t i = 0; i < size; i += W)
      multiplyRows<W>(work.rows + i * stride, 1, stride, tile(work.matrix, size, 0, j), n,
                      work.turned + i * stride + j * W, stride);
  });
}

// One step of orthogonal iteration from the basis' rows q, those of the largest q^T A q first, as
// `order` tells. Rows whose image float32 cannot tell from those of the rows before them come last,
// as they were, made orthogonal to the others.
void turnBasis(Lower a, const Work& work, float* basis, int64_t* order, ThreadPool& pool) {
  const int64_t n = a.n, stride = qrStride(n);
  image(a, basis, work, pool);
  for (int64_t i = 0; i < n; ++i)
    work.values[i] = dot(work.turned + i * stride, work.rows + i * stride, n);
  const double least = kOpen * *std::max_element(work.values, work.values + n);
  for (int64_t i = 0; i < n; ++i)
    if (work.values[i] <= least) work.values[i] = 0;
  std::iota(order, order + n, int64_t{0});
  std::stable_sort(order, order + n,
                   [&](int64_t i, int64_t j) { return work.values[i] > work.values[j]; });
  std::fill_n(work.matrix, qrNumbers(n), 0.0);
  double longest = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double* const image = work.turned + order[i] * stride;
    longest = std::max(longest, std::sqrt(dot(image, image, n)));
    std::copy_n(image, n, work.matrix + i * stride);
  }
  orthonormalRows(work.matrix, n, kOpen * longest, work.qr, work.rows, pool);
  keepDependent(basis, n, work, order, pool);
  writeSoapBasis(work.rows, stride, n, basis);
}

// v[o, i, r] <- v[o, order[i], r]
void permute(const SoapMode& mode, const int64_t* order, float* old, float* v) {
  std::memcpy(old, v, sizeof(float) * static_cast<size_t>(mode.v.size()));
  for (int64_t o = 0; o < mode.outer; ++o)
    for (int64_t i = 0; i < mode.n; ++i)
      std::copy_n(old + (o * mode.n + order[i]) * mode.inner, mode.inner,
                  v + (o * mode.n + i) * mode.inner);
}

}  // namespace

Run op_soapBases(Instruction& in) {
  const Operand status = in.inputs.at(0), updates = in.inputs.at(1);
  const int64_t stepSlot = in.integer("stepSlot"), dueSlot = in.integer("dueSlot");
  std::vector<SoapMode> modes;
  std::vector<size_t> starts;  // of tensors, whose modes follow each other, and the end of the last
  std::vector<int64_t> orders, bytes;
  int64_t rows = 0, elements = 0;
  for (size_t i = 0; i < in.list("tensors").size(); ++i) {
    const Operand &basis = in.inputs.at(3 + 3 * i), &v = in.inputs.at(4 + 3 * i);
    const int64_t n = basis.dim(1);
    modes.push_back({in.inputs.at(2 + 3 * i), basis, v, n,
                     static_cast<int64_t>(in.list("outer").at(i)),
                     static_cast<int64_t>(in.list("inner").at(i)), rows, in.list("tensors")[i]});
    if (i == 0 || modes[i].tensor != modes[i - 1].tensor) starts.push_back(i);
    orders.push_back(n);
    bytes.push_back(Work::bytes(n));
    rows += n;
    elements = std::max(elements, v.size());
  }
  const int64_t tensors = static_cast<int64_t>(starts.size());
  starts.push_back(modes.size());
  const MatrixTasks tasks(orders, bytes, in.threads);
  Scratch dry(nullptr);
  Header::take(modes.size(), rows, &dry);
  const int64_t header = static_cast<int64_t>(dry.bytes() + 63) / 64 * 64;
  in.scratchBytes = header + std::max(tasks.scratchBytes(), 4 * elements * in.threads);
  return [=](const Step& step) {
    int32_t* const words = status.i32(step);
    const bool first = *updates.i32(step) == 0;
    if (standsStill(words) || (!first && step.row[dueSlot] == 0)) return;
    Scratch scratch(step.scratch);
    const Header found = Header::take(modes.size(), rows, &scratch);
    const auto matrix = [&](size_t i) {
      return packedMatrix(modes[i].statistic.f32(step), modes[i].n);
    };
    const auto begin = [&](size_t i, char* memory) {
      found.results[i] = isFinite(matrix(i)) ? MatrixStatus::ok : MatrixStatus::notFinite;
      Scratch own(memory);
      if (first && found.results[i] == MatrixStatus::ok)
        beginEigh(matrix(i), Work::take(modes[i].n, &own).eigh);
    };
    const auto finish = [&](size_t i, char* memory, ThreadPool& pool) {
      const SoapMode& mode = modes[i];
      if (found.results[i] != MatrixStatus::ok || mode.n == 0) return;
      Scratch own(memory);
      const Work work = Work::take(mode.n, &own);
      float* const basis = mode.basis.f32(step);
      if (first)
        found.results[i] = setBasis(mode.n, work, basis, pool);
      else
        turnBasis(matrix(i), work, basis, found.order + mode.begin, pool);
    };
    tasks(step, step.scratch + header, begin, finish);
    const MatrixStatus* const results = found.results;
    step.pool.parallel(first ? 0 : tensors, [&](int64_t t, int thread) {
      float* const old = reinterpret_cast<float*>(step.scratch + header) + thread * elements;
      for (size_t i = starts[static_cast<size_t>(t)]; i < starts[static_cast<size_t>(t) + 1]; ++i)
        if (results[i] == MatrixStatus::ok)
          permute(modes[i], found.order + modes[i].begin, old, modes[i].v.f32(step));
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
