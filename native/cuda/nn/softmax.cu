// softmax over the last dimension and its logarithm, cross-entropy of it with labels, their gradients,
// labels as unit vectors, and the count of hits: a warp to a row.
#include "cuda/base/block.h"
#include "cuda/base/kernels.h"
#include "formulas/elementary.h"

namespace flatmin {
namespace cuda {

namespace {

struct Normaliser {
  float top;
  double total;  // Σ e^(x − top)
};

// y ← softmax of one row; y may be x.
__device__ Normaliser softmaxRow(const float* x, float* y, int64_t n) {
  float top = -__builtin_inff();
  const auto meet = [&](float v) { top = top != top ? top : (v <= top ? top : v); };
  for (int64_t i = laneId(); i < n; i += kLanes) meet(x[i]);
  for (int d = kLanes / 2; d > 0; d /= 2) meet(__shfl_xor_sync(kAllLanes, top, d));
  double total = 0;
  for (int64_t i = laneId(); i < n; i += kLanes) {
    const float e = formulas::exp<float, uint32_t>(x[i] - top);
    y[i] = e;
    total += e;
  }
  total = warpSum(total);
  const float scale = static_cast<float>(1 / total);
  for (int64_t i = laneId(); i < n; i += kLanes) y[i] *= scale;
  return {top, total};
}

int64_t lastDim(const Operand& x) { return x.type.shape.back(); }
int64_t rowCount(const Operand& x) { return lastDim(x) == 0 ? 0 : x.size() / lastDim(x); }

__global__ void softmax(int64_t rows, int64_t length, const float* x, float* y) {
  for (int64_t row = globalWarp(); row < rows; row += globalWarps())
    softmaxRow(x + row * length, y + row * length, length);
}

}  // namespace

Run op_softmax(Instruction& in) {
  const Operand x = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  const int64_t length = lastDim(y);
  const int64_t rows = rowCount(y);
  return [=](const Step& step) {
    if (rows == 0) return;  // guard
    LAUNCH(softmax, blocksForWarps(rows), kThreads, 0, step.stream, rows, length, x.f32(step),
           y.f32(step));
  };
}

namespace {

// dx = y (dy − y·dy), dy shifted by its first, so that what all have in common leaves no rounding.
__global__ void softmaxGrad(int64_t rows, int64_t length, const float* y, const float* dy,
                            float* dx) {
  for (int64_t row = globalWarp(); row < rows; row += globalWarps()) {
    const int64_t at = row * length;
    const float shift = dy[at];
    double products = 0;
    for (int64_t i = at + laneId(); i < at + length; i += kLanes)
      products += static_cast<double>(y[i]) * (dy[i] - shift);
    const float dot = static_cast<float>(warpSum(products));
    for (int64_t i = at + laneId(); i < at + length; i += kLanes)
      dx[i] = y[i] * ((dy[i] - shift) - dot);
  }
}

}  // namespace

Run op_softmaxGrad(Instruction& in) {
  const Operand y = in.inputs.at(0);
  const Operand dy = in.inputs.at(1);
  const Operand dx = in.outputs.at(0);
  const int64_t length = lastDim(dx);
  const int64_t rows = rowCount(dx);
  return [=](const Step& step) {
    if (rows == 0) return;  // guard
    LAUNCH(softmaxGrad, blocksForWarps(rows), kThreads, 0, step.stream, rows, length, y.f32(step),
           dy.f32(step), dx.f32(step));
  };
}

namespace {

__global__ void logSoftmax(int64_t rows, int64_t length, const float* x, float* y) {
  for (int64_t row = globalWarp(); row < rows; row += globalWarps()) {
    const int64_t at = row * length;
    const Normaliser n = softmaxRow(x + at, y + at, length);
    const float rest = static_cast<float>(log(n.total));
    for (int64_t i = at + laneId(); i < at + length; i += kLanes) y[i] = (x[i] - n.top) - rest;
  }
}

// dx = dy − e^y Σ dy
__global__ void logSoftmaxGrad(int64_t rows, int64_t length, const float* y, const float* dy,
                               float* dx) {
  for (int64_t row = globalWarp(); row < rows; row += globalWarps()) {
    const int64_t at = row * length;
    double sum = 0;
    for (int64_t i = at + laneId(); i < at + length; i += kLanes) sum += dy[i];
    const float total = static_cast<float>(warpSum(sum));
    for (int64_t i = at + laneId(); i < at + length; i += kLanes)
      dx[i] = dy[i] - formulas::exp<float, uint32_t>(y[i]) * total;
  }
}

}  // namespace

Run op_logSoftmax(Instruction& in) {
  const Operand x = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  const int64_t length = lastDim(y);
  const int64_t rows = rowCount(y);
  return [=](const Step& step) {
    if (rows == 0) return;  // guard
    LAUNCH(logSoftmax, blocksForWarps(rows), kThreads, 0, step.stream, rows, length, x.f32(step),
           y.f32(step));
  };
}

Run op_logSoftmaxGrad(Instruction& in) {
  const Operand y = in.inputs.at(0);
  const Operand dy = in.inputs.at(1);
  const Operand dx = in.outputs.at(0);
  const int64_t length = lastDim(dx);
  const int64_t rows = rowCount(dx);
  return [=](const Step& step) {
    if (rows == 0) return;  // guard
    LAUNCH(logSoftmaxGrad, blocksForWarps(rows), kThreads, 0, step.stream, rows, length,
           y.f32(step), dy.f32(step), dx.f32(step));
  };
}

namespace {

// Labels of either type.
struct Labels {
  const uint8_t* bytes;
  const int32_t* words;

  Labels(const Operand& labels, const Step& step)
      : bytes(labels.type.dtype == DType::u8 ? labels.data<uint8_t>(step) : nullptr),
        words(bytes ? nullptr : labels.i32(step)) {}
  __device__ int64_t at(int64_t row) const { return bytes ? bytes[row] : words[row]; }
};

__global__ void oneHot(int64_t size, int64_t classes, Labels labels, float* y) {
  for (int64_t at = globalThread(); at < size; at += globalThreads())
    y[at] = labels.at(at / classes) == at % classes ? 1.0f : 0.0f;
}

}  // namespace

// 1 at each row's label, 0 elsewhere.
Run op_oneHot(Instruction& in) {
  const Operand labels = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  return [=](const Step& step) {
    if (y.size() == 0) return;  // guard
    LAUNCH(oneHot, blocksFor(y.size()), kThreads, 0, step.stream, y.size(), lastDim(y),
           Labels(labels, step), y.f32(step));
  };
}

namespace {

__global__ void crossEntropyRows(int64_t rows, int64_t classes, const float* logits, Labels labels,
                                 const float* weights, float* probabilities, double* losses) {
  for (int64_t row = globalWarp(); row < rows; row += globalWarps()) {
    const float* const x = logits + row * classes;
    const int64_t label = labels.at(row);
    const double own = label >= 0 && label < classes ? x[label] : __builtin_nan("");
    const Normaliser n = softmaxRow(x, probabilities + row * classes, classes);
    if (laneId() != 0) continue;
    const double weight = weights ? weights[row] : 1;
    losses[row] = weight == 0 ? 0 : weight * ((n.top - own) + log(n.total));
  }
}

// One block: y ← scale Σ x.
__global__ void sumToOne(int64_t count, double scale, const double* x, float* y) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < count; i += kThreads) sum += x[i];
  const double total = blockSum(sum);
  if (threadIdx.x == 0) *y = static_cast<float>(total * scale);
}

}  // namespace

// Σ weight · (log Σ e^x − x[label]) over the rows whose weight is not 0; without weights the mean.
Run op_crossEntropy(Instruction& in) {
  const Operand logits = in.inputs.at(0);
  const Operand labels = in.inputs.at(1);
  const bool weighted = in.inputs.size() > 2;
  const Operand weights = weighted ? in.inputs[2] : Operand{};
  const Operand loss = in.outputs.at(0);
  const Operand probabilities = in.outputs.at(1);
  const int64_t rows = logits.dim(0);
  const int64_t classes = logits.dim(1);
  in.scratchBytes = rows * static_cast<int64_t>(sizeof(double));
  return [=](const Step& step) {
    double* const losses = reinterpret_cast<double*>(step.scratch);
    if (rows > 0)
      LAUNCH(crossEntropyRows, blocksForWarps(rows), kThreads, 0, step.stream, rows, classes,
             logits.f32(step), Labels(labels, step), weighted ? weights.f32(step) : nullptr,
             probabilities.f32(step), losses);
    LAUNCH(sumToOne, 1, kThreads, 0, step.stream, rows,
           weighted ? 1 : 1 / static_cast<double>(rows), losses, loss.f32(step));
  };
}

namespace {

// dlogits = dloss · weight · (probabilities − onehot(label)), the weight 1/rows without weights
__global__ void crossEntropyGrad(int64_t rows, int64_t classes, const float* probabilities,
                                 Labels labels, const float* dloss, const float* weights,
                                 float* dx) {
  const float all = *dloss / (weights ? 1.0f : static_cast<float>(rows));
  for (int64_t at = globalThread(); at < rows * classes; at += globalThreads()) {
    const int64_t row = at / classes;
    const float p = probabilities[at], scale = weights ? all * weights[row] : all;
    dx[at] = scale * (labels.at(row) == at - row * classes ? p - 1 : p);
  }
}

}  // namespace

Run op_crossEntropyGrad(Instruction& in) {
  const Operand probabilities = in.inputs.at(0);
  const Operand labels = in.inputs.at(1);
  const Operand dloss = in.inputs.at(2);
  const bool weighted = in.inputs.size() > 3;
  const Operand weights = weighted ? in.inputs[3] : Operand{};
  const Operand dx = in.outputs.at(0);
  return [=](const Step& step) {
    if (dx.size() == 0) return;  // guard
    LAUNCH(crossEntropyGrad, blocksFor(dx.size()), kThreads, 0, step.stream, dx.dim(0), dx.dim(1),
           probabilities.f32(step), Labels(labels, step), dloss.f32(step),
           weighted ? weights.f32(step) : nullptr, dx.f32(step));
  };
}

namespace {

// 1 for a row whose first largest logit is the label's, and whose weight is not 0. As on the CPU a NaN is never larger, so
// that a NaN in front of all others stays.
__global__ void hits(int64_t rows, int64_t classes, const float* logits, Labels labels,
                     const float* weights, double* correct) {
  for (int64_t row = globalThread(); row < rows; row += globalThreads()) {
    const float* const x = logits + row * classes;
    int64_t best = 0;
    for (int64_t c = 1; c < classes; ++c)
      if (x[c] > x[best]) best = c;
    correct[row] = best == labels.at(row) && !(weights && weights[row] == 0);
  }
}

}  // namespace

Run op_countCorrect(Instruction& in) {
  const Operand logits = in.inputs.at(0);
  const Operand labels = in.inputs.at(1);
  const bool weighted = in.inputs.size() > 2;
  const Operand weights = weighted ? in.inputs[2] : Operand{};
  const Operand count = in.outputs.at(0);
  const int64_t rows = logits.dim(0);
  const int64_t classes = logits.dim(1);
  in.scratchBytes = rows * static_cast<int64_t>(sizeof(double));
  return [=](const Step& step) {
    double* const correct = reinterpret_cast<double*>(step.scratch);
    if (rows > 0)
      LAUNCH(hits, blocksFor(rows), kThreads, 0, step.stream, rows, classes, logits.f32(step),
             Labels(labels, step), weighted ? weights.f32(step) : nullptr, correct);
    LAUNCH(sumToOne, 1, kThreads, 0, step.stream, rows, 1.0, correct, count.f32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
