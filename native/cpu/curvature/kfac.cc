// K-FAC's factors A = E[Σ āāᵀ] and G = E[Σ s′s′ᵀ]/T as running means, and the step's small pieces
// (Grosse & Martens 2016; src/ops/kfac.ts).
#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/base/dot.h"
#include "cpu/base/kernels.h"
#include "cpu/conv/window_gram.h"
#include "cpu/gemm/gemm.h"
#include "cpu/updates/update.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

// Columns of a factor's matrix X that are gathered before they are multiplied: 4 MiB of them.
constexpr int64_t kGathered = 1 << 20;

double factorDecay(int32_t updates) { return std::min(1.0 - 1.0 / updates, 0.95); }

// A step that is not taken, or a batch without anything that counts.
bool isLeftOut(const int32_t* status, int32_t updates) {
  return standsStill(status) || updates <= 0;
}

// How many examples of `columns` columns each are gathered at a time.
int64_t examplesAtOnce(int64_t dim, int64_t columns, int64_t examples) {
  return std::max<int64_t>(1, std::min(examples, kGathered / std::max<int64_t>(1, dim * columns)));
}

// Of the packed factor ← decay · factor + (1 − decay) · scale · X Xᵀ; where the batch does not begin
// with it, the past has been weighted already.
GemmOut blended(float* factor, double scale, int32_t updates, bool begins) {
  const double decay = factorDecay(updates);
  return {factor, 0, static_cast<float>((1 - decay) * scale),
          begins ? static_cast<float>(decay) : 1.0f};
}

// X of dim × (examples · columns) gathered part by part: gather(example, to, ld) writes the columns
// of one example to to[row * ld + column].
template <class Gather>
void updateFactor(int64_t dim, int64_t examples, int64_t columns, GemmOut out, float* gathered,
                  float* scratch, ThreadPool& pool, Gather gather) {
  const int64_t part = examplesAtOnce(dim, columns, examples);
  for (int64_t begin = 0; begin < examples; begin += part) {
    const int64_t count = std::min(part, examples - begin);
    const int64_t ld = count * columns;
    pool.parallel(count, [&](int64_t i, int thread) {
      gather(begin + i, gathered + i * columns, ld, thread);
    });
    syrkPacked(dim, ld, Matrix{gathered, ld, 1}, out, scratch, pool);
    out.beta = 1;
  }
}

int64_t gatheredFloats(int64_t dim, int64_t examples, int64_t columns) {
  return (dim * examplesAtOnce(dim, columns, examples) * columns + 15) / 16 * 16;
}

}  // namespace

Run op_kfacInputFactor(Instruction& in) {
  const Operand status = in.inputs.at(0);
  const Operand factor = in.inputs.at(1);
  const Operand updates = in.inputs.at(2);
  const Operand x = in.inputs.at(3);
  const bool weighted = in.inputs.size() > 4;
  const Operand weights = weighted ? in.inputs[4] : Operand{};
  const bool bias = in.integer("bias") != 0;
  const int64_t examples = x.dim(0);
  const int64_t first = static_cast<int64_t>(in.list("range").at(0));
  const int64_t channels = static_cast<int64_t>(in.list("range").at(1)) - first;
  const bool convolution = !in.list("kernel").empty();
  Windows windows{};
  if (convolution) {
    auto pair = [&](const char* name, size_t i) {
      return static_cast<int64_t>(in.list(name).at(i));
    };
    windows = Windows{channels,          x.dim(2),           x.dim(3),
                      pair("kernel", 0), pair("kernel", 1),  pair("stride", 0),
                      pair("stride", 1), pair("padding", 0), pair("padding", 1)};
  }
  const int64_t dim = (convolution ? windows.taps() : channels) + (bias ? 1 : 0);
  const int64_t columns = convolution ? windows.positions() : 1;
  const int64_t exampleSize = examples == 0 ? 0 : x.size() / examples;
  const int64_t skipped = convolution ? first * x.dim(2) * x.dim(3) : first;  // of an example
  const double scale = weighted ? 1 : 1 / in.number("samples");
  const bool begins = in.integer("begins") != 0;
  const WindowGram gram(windows, bias);
  if (convolution && gram.pays()) {
    const int64_t part = examplesAtOnce(windows.channels, windows.height * windows.width, examples);
    in.scratchBytes = gram.scratchFloats(part, in.threads) * static_cast<int64_t>(sizeof(float));
    return [=](const Step& step) {
      if (isLeftOut(status.i32(step), *updates.i32(step)) || examples == 0) return;
      GemmOut out = blended(factor.f32(step), scale, *updates.i32(step), begins);
      for (int64_t begin = 0; begin < examples; begin += part) {
        gram.add(x.f32(step) + begin * exampleSize + skipped, exampleSize,
                 std::min(part, examples - begin), out, reinterpret_cast<float*>(step.scratch),
                 step.pool);
        out.beta = 1;
      }
    };
  }
  const int64_t gathered = gatheredFloats(dim, examples, columns);
  const int64_t padded = convolution ? (paddedFloats(windows) + 15) / 16 * 16 : 0;
  const int64_t depth = examplesAtOnce(dim, columns, examples) * columns;
  in.scratchBytes = (gathered + padded * in.threads +
                     static_cast<int64_t>(syrkPackedScratchFloats(dim, depth, in.threads))) *
                    static_cast<int64_t>(sizeof(float));
  return [=](const Step& step) {
    if (isLeftOut(status.i32(step), *updates.i32(step)) || examples == 0) return;
    float* columnsOf = reinterpret_cast<float*>(step.scratch);
    float* images = columnsOf + gathered;
    float* scratch = images + padded * step.pool.threads();
    auto gather = [&](int64_t example, float* to, int64_t ld, int thread) {
      const float* from = x.f32(step) + example * exampleSize + skipped;
      if (convolution) {
        unfold(windows, padImage(windows, from, images + thread * padded), 0, windows.outHeight(),
               to, ld);
      } else {
        const float root = weighted ? std::sqrt(weights.f32(step)[example]) : 1.0f;
        for (int64_t i = 0; i < channels; ++i) to[i * ld] = root == 0 ? 0.0f : root * from[i];
        if (bias) to[(dim - 1) * ld] = root;
        return;
      }
      if (bias) std::fill(to + (dim - 1) * ld, to + (dim - 1) * ld + columns, 1.0f);
    };
    updateFactor(dim, examples, columns,
                 blended(factor.f32(step), scale, *updates.i32(step), begins), columnsOf, scratch,
                 step.pool, gather);
  };
}

// A task owns a range of the table's rows and reads all tokens, so that equal ones are added in
// order.
Run op_kfacTokenFactor(Instruction& in) {
  const Operand status = in.inputs.at(0);
  const Operand factor = in.inputs.at(1);
  const Operand updates = in.inputs.at(2);
  const Operand tokens = in.inputs.at(3);
  const bool weighted = in.inputs.size() > 4;
  const Operand weights = weighted ? in.inputs[4] : Operand{};
  const int64_t rows = tokens.size();
  const double each = 1 / in.number("samples");
  const bool begins = in.integer("begins") != 0;
  return [=](const Step& step) {
    if (isLeftOut(status.i32(step), *updates.i32(step)) || rows == 0) return;
    const double decay = factorDecay(*updates.i32(step));
    const float past = begins ? static_cast<float>(decay) : 1.0f;
    forChunks(step.pool, factor.size(), [&](int64_t begin, int64_t end, int64_t) {
      float* const a = factor.f32(step);
      for (int64_t i = begin; i < end; ++i) a[i] *= past;
      for (int64_t r = 0; r < rows; ++r) {
        const int64_t token = tokens.i32(step)[r];
        if (token < begin || token >= end) continue;
        const double weight = weighted ? weights.f32(step)[r] : each;
        a[token] += static_cast<float>((1 - decay) * weight);
      }
    });
  };
}

Run op_kfacGradFactor(Instruction& in) {
  const Operand status = in.inputs.at(0);
  const Operand factor = in.inputs.at(1);
  const Operand updates = in.inputs.at(2);
  const bool weighted = in.integer("weighted") != 0;
  const Operand weights = weighted ? in.inputs.at(3) : Operand{};
  const std::vector<Operand> gradients(in.inputs.begin() + (weighted ? 4 : 3), in.inputs.end());
  const int64_t examples = gradients.at(0).dim(0), outputs = gradients[0].dim(1);
  const int64_t first = static_cast<int64_t>(in.list("range").at(0));
  const int64_t dim = static_cast<int64_t>(in.list("range").at(1)) - first;
  const int64_t columns = examples * outputs == 0 ? 0 : gradients[0].size() / (examples * outputs);
  const double samples = in.number("samples");
  const bool begins = in.integer("begins") != 0;
  const int64_t gathered = gatheredFloats(dim, examples, columns);
  const int64_t depth = examplesAtOnce(dim, columns, examples) * columns;
  in.scratchBytes =
      (gathered + static_cast<int64_t>(syrkPackedScratchFloats(dim, depth, in.threads))) *
      static_cast<int64_t>(sizeof(float));
  return [=](const Step& step) {
    if (isLeftOut(status.i32(step), *updates.i32(step)) || columns == 0) return;
    float* columnsOf = reinterpret_cast<float*>(step.scratch);
    // s′ = dy / weight: the mean put its weight, 1/samples, into every row.
    const double scale = (weighted ? 1 : samples) / static_cast<double>(columns);
    GemmOut out = blended(factor.f32(step), scale, *updates.i32(step), begins);
    for (const Operand& dy : gradients) {
      auto gather = [&](int64_t example, float* to, int64_t ld, int) {
        const float* from = dy.f32(step) + (example * outputs + first) * columns;
        if (weighted) {
          const float weight = weights.f32(step)[example], root = std::sqrt(weight);
          for (int64_t o = 0; o < dim; ++o) to[o * ld] = weight == 0 ? 0.0f : from[o] / root;
          return;
        }
        for (int64_t o = 0; o < dim; ++o)
          std::memcpy(to + o * ld, from + o * columns,
                      static_cast<size_t>(columns) * sizeof(float));
      };
      updateFactor(dim, examples, columns, out, columnsOf, columnsOf + gathered, step.pool, gather);
      out.beta = 1;
    }
  };
}

Run op_kfacJoin(Instruction& in) {
  const std::vector<Operand> inputs = in.inputs;
  const bool bias = inputs.size() > 2;
  const Operand v = in.outputs.at(0);
  const float decay = static_cast<float>(in.number("weightDecay"));
  const int64_t rows = v.dim(0), width = v.dim(1), weights = bias ? width - 1 : width;
  return [=](const Step& step) {
    const float* weight = inputs[0].f32(step);
    const float* dweight = inputs[1].f32(step);
    for (int64_t o = 0; o < rows; ++o) {
      float* row = v.f32(step) + o * width;
      for (int64_t i = 0; i < weights; ++i)
        row[i] = dweight[o * weights + i] + decay * weight[o * weights + i];
      if (bias) row[weights] = inputs[3].f32(step)[o] + decay * inputs[2].f32(step)[o];
    }
  };
}

Run op_kfacSplit(Instruction& in) {
  const Operand u = in.inputs.at(0);
  const Operand nu = in.inputs.at(1);
  const Operand weight = in.outputs.at(0);
  const Operand bias = in.outputs.at(1);
  const int64_t rows = u.dim(0), width = u.dim(1);
  const int64_t weights = rows == 0 ? 0 : weight.size() / rows;
  return [=](const Step& step) {
    const float scale = *nu.f32(step);
    for (int64_t o = 0; o < rows; ++o) {
      const float* row = u.f32(step) + o * width;
      for (int64_t i = 0; i < weights; ++i) weight.f32(step)[o * weights + i] = scale * row[i];
      bias.f32(step)[o] = weights < width ? scale * row[weights] : 0.0f;
    }
  };
}

Run op_klClip(Instruction& in) {
  const std::vector<Operand> pairs = in.inputs;
  const Operand nu = in.outputs.at(0);
  const double kappa = in.number("kappa");
  const int64_t lrSlot = in.integer("lrSlot");
  TensorChunks chunks;
  for (size_t k = 0; k < pairs.size(); k += 2) chunks.add(static_cast<int>(k), pairs[k].size());
  in.scratchBytes = chunks.count() * static_cast<int64_t>(sizeof(double));
  return [=](const Step& step) {
    double* const partial = reinterpret_cast<double*>(step.scratch);
    const double dots = sumChunks(step, chunks, partial, [&](TensorChunks::Chunk chunk) {
      const size_t k = static_cast<size_t>(chunk.tensor);
      return dot(pairs[k].f32(step) + chunk.begin, pairs[k + 1].f32(step) + chunk.begin,
                 chunk.end - chunk.begin);
    });
    const double size = step.row[lrSlot] * step.row[lrSlot] * dots;
    *nu.f32(step) = size > kappa ? static_cast<float>(std::sqrt(kappa / size)) : 1.0f;
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
