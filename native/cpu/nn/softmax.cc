// softmax over the last dimension and its logarithm, cross-entropy of it with labels, their gradients,
// labels as unit vectors, and the count of hits.
#include <cmath>

#include "cpu/base/elementwise.h"
#include "cpu/base/kernels.h"
#include "cpu/base/rows.h"
#include "cpu/base/sums.h"
#include "formulas/elementary.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

vf shiftedExp(vf x, float top) { return formulas::exp<vf, vu>(x - top); }

// y ← e^(x − top), and their sum.
float shiftedExp(const float* x, float* y, int64_t n, float top) {
  vf sum = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const vf e = shiftedExp(load(x + i), top);
    store(y + i, e);
    sum += e;
  }
  if (i < n) {
    const vf e = shiftedExp(loadTail(x + i, n - i), top);
    storeTail(y + i, e, n - i);
    sum += keepLanes(e, n - i, 0);
  }
  return sumLanes(sum);
}

struct Normaliser {
  float top;
  double total;  // Σ e^(x − top)
};

// y ← softmax of one row; y may be x.
Normaliser softmaxRow(const float* x, float* y, int64_t n) {
  constexpr int64_t kFloatRun = 1024;  // elements that are added in float
  const float top = maxOf(x, n);
  double total = 0;
  for (int64_t at = 0; at < n; at += kFloatRun)
    total += shiftedExp(x + at, y + at, std::min(kFloatRun, n - at), top);
  const float scale = static_cast<float>(1 / total);
  mapRange(y, y, n, [=](vf v) { return v * scale; });
  return {top, total};
}

constexpr int64_t kShortRow = 16;

// The same of up to kLanes rows of 1 to kShortRow elements, a row a lane.
struct Normalisers {
  float top[kLanes], total[kLanes];
};
Normalisers softmaxRows(const float* x, float* y, int64_t rows, int64_t n) {
  float columns[kShortRow][kLanes];
  int64_t cleared = 0;
  do {
    store(columns[cleared], vf{});
  } while (++cleared < n);
  for (int64_t l = 0; l < rows; ++l)
    for (int64_t j = 0; j < n; ++j) columns[j][l] = x[l * n + j];
  vf top = load(columns[0]), total = {};
  for (int64_t j = 1; j < n; ++j) top = larger(top, load(columns[j]));
  for (int64_t j = 0; j < n; ++j) {
    const vf e = formulas::exp<vf, vu>(load(columns[j]) - top);
    total += e;
    store(columns[j], e);
  }
  for (int64_t j = 0; j < n; ++j) store(columns[j], load(columns[j]) / total);
  for (int64_t l = 0; l < rows; ++l)
    for (int64_t j = 0; j < n; ++j) y[l * n + j] = columns[j][l];
  Normalisers result;
  store(result.top, top);
  store(result.total, total);
  return result;
}

int64_t lastDim(const Operand& x) { return x.type.shape.back(); }
int64_t rowCount(const Operand& x) { return lastDim(x) == 0 ? 0 : x.size() / lastDim(x); }

}  // namespace

Run op_softmax(Instruction& in) {
  const Operand x = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  const int64_t length = lastDim(y);
  const int64_t rows = rowCount(y);
  return [=](const Step& step) {
    forRows(step.pool, rows, length, [&](int64_t begin, int64_t end, int64_t) {
      const float* const from = x.f32(step);
      float* const to = y.f32(step);
      if (length <= kShortRow) {
        for (int64_t r = begin; r < end; r += kLanes)
          softmaxRows(from + r * length, to + r * length, std::min<int64_t>(kLanes, end - r),
                      length);
        return;
      }
      for (int64_t at = begin * length; at < end * length; at += length)
        softmaxRow(from + at, to + at, length);
    });
  };
}

// dx = y (dy − y·dy), dy shifted by its first, so that what all have in common leaves no rounding.
Run op_softmaxGrad(Instruction& in) {
  const Operand y = in.inputs.at(0);
  const Operand dy = in.inputs.at(1);
  const Operand dx = in.outputs.at(0);
  const int64_t length = lastDim(dx);
  const int64_t rows = rowCount(dx);
  return [=](const Step& step) {
    forRows(step.pool, rows, length, [&](int64_t begin, int64_t end, int64_t) {
      for (int64_t at = begin * length; at < end * length; at += length) {
        const float* const p = y.f32(step) + at;
        const float* const g = dy.f32(step) + at;
        float* const out = dx.f32(step) + at;
        const float shift = *g;
        vf products = {};
        int64_t i = 0;
        for (; i + kLanes <= length; i += kLanes) products += load(p + i) * (load(g + i) - shift);
        if (i < length)
          products += loadTail(p + i, length - i) * (loadTail(g + i, length - i) - shift);
        const float dot = sumLanes(products);
        for (i = 0; i < length; ++i) out[i] = p[i] * ((g[i] - shift) - dot);
      }
    });
  };
}

// y = (x − max) − log Σ e^(x − max), in two parts: beside a huge maximum the logarithm would be lost.
Run op_logSoftmax(Instruction& in) {
  const Operand x = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  const int64_t length = lastDim(y);
  const int64_t rows = rowCount(y);
  return [=](const Step& step) {
    forRows(step.pool, rows, length, [&](int64_t begin, int64_t end, int64_t) {
      for (int64_t at = begin * length; at < end * length; at += length) {
        const Normaliser n = softmaxRow(x.f32(step) + at, y.f32(step) + at, length);
        const float rest = static_cast<float>(std::log(n.total));
        mapRange(y.f32(step) + at, x.f32(step) + at, length,
                 [=](vf v) { return (v - n.top) - rest; });
      }
    });
  };
}

// dx = dy − e^y Σ dy
Run op_logSoftmaxGrad(Instruction& in) {
  const Operand y = in.inputs.at(0);
  const Operand dy = in.inputs.at(1);
  const Operand dx = in.outputs.at(0);
  const int64_t length = lastDim(dx);
  const int64_t rows = rowCount(dx);
  return [=](const Step& step) {
    forRows(step.pool, rows, length, [&](int64_t begin, int64_t end, int64_t) {
      for (int64_t at = begin * length; at < end * length; at += length) {
        const float* const g = dy.f32(step) + at;
        const float total = static_cast<float>(sumRun(g, length));
        mapRange(dx.f32(step) + at, y.f32(step) + at, g, length,
                 [=](vf v, vf d) { return d - formulas::exp<vf, vu>(v) * total; });
      }
    });
  };
}

namespace {

int64_t labelAt(const Operand& labels, const Step& step, int64_t row) {
  return labels.type.dtype == DType::u8 ? labels.data<uint8_t>(step)[row] : labels.i32(step)[row];
}

}  // namespace

// 1 at each row's label, 0 elsewhere.
Run op_oneHot(Instruction& in) {
  const Operand labels = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  const int64_t classes = lastDim(y);
  return [=](const Step& step) {
    forRows(step.pool, labels.size(), classes, [&](int64_t begin, int64_t end, int64_t) {
      float* const to = y.f32(step);
      std::fill(to + begin * classes, to + end * classes, 0.0f);
      for (int64_t r = begin; r < end; ++r) {
        const int64_t label = labelAt(labels, step, r);
        if (label >= 0 && label < classes) to[r * classes + label] = 1;
      }
    });
  };
}

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
  const int64_t tasks = rowTasks(rows, classes);
  in.scratchBytes = tasks * static_cast<int64_t>(sizeof(double));
  return [=](const Step& step) {
    double* const partial = reinterpret_cast<double*>(step.scratch);
    const float* const x = logits.f32(step);
    const float* const weight = weighted ? weights.f32(step) : nullptr;
    float* const p = probabilities.f32(step);
    const auto logitOfLabel = [&](int64_t row) -> double {
      const int64_t label = labelAt(labels, step, row);
      return label >= 0 && label < classes ? x[row * classes + label] : __builtin_nan("");
    };
    forRows(step.pool, rows, classes, [&](int64_t begin, int64_t end, int64_t task) {
      double sum = 0;
      if (classes > kShortRow) {
        for (int64_t r = begin; r < end; ++r) {
          const double own = logitOfLabel(r);  // p may be x
          const Normaliser n = softmaxRow(x + r * classes, p + r * classes, classes);
          if (weight && weight[r] == 0) continue;
          const double row = (n.top - own) + std::log(n.total);
          sum += weight ? weight[r] * row : row;
        }
      } else {
        for (int64_t r = begin; r < end; r += kLanes) {
          const int64_t count = std::min<int64_t>(kLanes, end - r);
          double own[kLanes];
          for (int64_t l = 0; l < count; ++l) own[l] = logitOfLabel(r + l);
          const Normalisers n = softmaxRows(x + r * classes, p + r * classes, count, classes);
          if (weight) {
            for (int64_t l = 0; l < count; ++l)
              if (weight[r + l] != 0)
                sum += weight[r + l] * ((n.top[l] - own[l]) + std::log(n.total[l]));
            continue;
          }
          double totals = 1;  // at most kShortRow^kLanes
          for (int64_t l = 0; l < count; ++l) sum += n.top[l] - own[l], totals *= n.total[l];
          sum += std::log(totals);
        }
      }
      partial[task] = sum;
    });
    double total = 0;
    for (int64_t task = 0; task < tasks; ++task) total += partial[task];
    *loss.f32(step) = static_cast<float>(weighted ? total : total / static_cast<double>(rows));
  };
}

// dlogits = dloss · weight · (probabilities − onehot(label)), the weight 1/rows without weights
Run op_crossEntropyGrad(Instruction& in) {
  const Operand probabilities = in.inputs.at(0);
  const Operand labels = in.inputs.at(1);
  const Operand dloss = in.inputs.at(2);
  const bool weighted = in.inputs.size() > 3;
  const Operand weights = weighted ? in.inputs[3] : Operand{};
  const Operand dx = in.outputs.at(0);
  const int64_t rows = dx.dim(0);
  const int64_t classes = dx.dim(1);
  return [=](const Step& step) {
    const float all = *dloss.f32(step) / (weighted ? 1.0f : static_cast<float>(rows));
    forRows(step.pool, rows, classes, [&](int64_t begin, int64_t end, int64_t) {
      const float* const p = probabilities.f32(step);
      float* const out = dx.f32(step);
      for (int64_t r = begin; r < end; ++r) {
        const float scale = weighted ? all * weights.f32(step)[r] : all;
        const int64_t label = labelAt(labels, step, r);
        const int64_t at = r * classes;
        const bool valid = label >= 0 && label < classes;
        const float own = valid ? scale * (p[at + label] - 1) : 0;
        for (int64_t c = at; c < at + classes; ++c) out[c] = scale * p[c];
        if (valid) out[at + label] = own;
      }
    });
  };
}

// Rows whose first largest logit is the label's; with weights, of those whose weight is not 0.
Run op_countCorrect(Instruction& in) {
  const Operand logits = in.inputs.at(0);
  const Operand labels = in.inputs.at(1);
  const bool weighted = in.inputs.size() > 2;
  const Operand weights = weighted ? in.inputs[2] : Operand{};
  const Operand count = in.outputs.at(0);
  const int64_t rows = logits.dim(0);
  const int64_t classes = logits.dim(1);
  const int64_t tasks = rowTasks(rows, classes);
  in.scratchBytes = tasks * static_cast<int64_t>(sizeof(int64_t));
  return [=](const Step& step) {
    int64_t* const partial = reinterpret_cast<int64_t*>(step.scratch);
    const float* const weight = weighted ? weights.f32(step) : nullptr;
    forRows(step.pool, rows, classes, [&](int64_t begin, int64_t end, int64_t task) {
      int64_t correct = 0;
      for (int64_t r = begin; r < end; ++r) {
        if (weight && weight[r] == 0) continue;
        const float* const x = logits.f32(step) + r * classes;
        int64_t best = 0;
        for (int64_t c = 1; c < classes; ++c)
          if (x[c] > x[best]) best = c;
        correct += best == labelAt(labels, step, r);
      }
      partial[task] = correct;
    });
    int64_t total = 0;
    for (int64_t task = 0; task < tasks; ++task) total += partial[task];
    *count.f32(step) = static_cast<float>(total);
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
