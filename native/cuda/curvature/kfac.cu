// K-FAC's factors A = E[Σ āāᵀ] and G = E[Σ s′s′ᵀ]/T as running means, and the step's small pieces
// (Grosse & Martens 2016; src/ops/kfac.ts).
#include <numeric>

#include "cuda/base/block.h"
#include "cuda/base/chunks.h"
#include "cuda/base/kernels.h"
#include "cuda/base/status.h"
#include "cuda/conv/unfold.h"
#include "cuda/gemm/gemm.h"
#include "formulas/packed.h"

namespace flatmin {
namespace cuda {

namespace {

// A step that is not taken, or a batch without anything that counts.
__device__ inline bool isLeftOut(const int32_t* status, const int32_t* updates) {
  return standsStill(status) || *updates <= 0;
}

// factor ← decay · factor + (1 − decay) · scale · value, packed, unless the batch is left out;
// without `first` the past has been weighted already.
struct Factor {
  float* data;
  double scale;
  bool first;
  const int32_t *updates, *status;

  __device__ void put(int64_t i, int64_t j, float value) const {
    if (j > i || isLeftOut(status, updates)) return;
    const double mean = 1.0 - 1.0 / *updates, decay = mean < 0.95 ? mean : 0.95;
    float& f = data[formulas::packedSize(i) + j];
    const float part = static_cast<float>((1 - decay) * scale) * value;
    const float past = first ? static_cast<float>(decay) : 1.0f;
    f = past == 0 ? part : past * f + part;
  }
};

// The factor of X, dim × columns; `alongK`: neighbouring columns are neighbours in memory.
template <class X>
void updateFactor(const GemmShape& shape, X x, bool alongK, const Factor& factor,
                  const Step& step) {
  x.alongK = alongK;
  gemm(shape, x, Transposed<X>{x, alongK}, factor, step.scratch, step.stream);
}

// Rows of X that are examples, as columns.
struct Examples {
  const float* x;
  int64_t size;  // of an example
  bool alongK;

  __device__ float at(int64_t i, int64_t example) const { return x[example * size + i]; }
};

// X's columns times √weight, or over it; those of weight 0 are 0.
template <class X>
struct Weighted {
  X x;
  const float* weights;
  bool over, alongK;

  __device__ float at(int64_t i, int64_t column) const {
    const float weight = weights[column], root = sqrtf(weight);
    if (weight == 0) return 0;
    return over ? x.at(i, column) / root : x.at(i, column) * root;
  }
};

template <class X>
Weighted<X> weighting(X x, const float* weights, bool over) {
  return {x, weights, over, false};
}

// With a last row of ones.
template <class X>
struct WithOnes {
  X x;
  int64_t rows;
  bool alongK;

  __device__ float at(int64_t i, int64_t column) const { return i < rows ? x.at(i, column) : 1.0f; }
};

}  // namespace

Run op_kfacInputFactor(Instruction& in) {
  const Operand status = in.inputs.at(0), factor = in.inputs.at(1);
  const Operand updates = in.inputs.at(2), x = in.inputs.at(3);
  const bool weighted = in.inputs.size() > 4;
  const Operand weights = weighted ? in.inputs[4] : Operand{};
  const int64_t examples = x.dim(0);
  if (examples == 0) return [](const Step&) {};
  const int64_t size = x.size() / examples;
  const int64_t first = static_cast<int64_t>(in.list("range").at(0));
  const int64_t channels = static_cast<int64_t>(in.list("range").at(1)) - first;
  const double scale = weighted ? 1 : 1 / in.number("samples");
  const bool begins = in.integer("begins") != 0;
  const auto factorAt = [=](const Step& step) {
    return Factor{factor.f32(step), scale, begins, updates.i32(step), status.i32(step)};
  };
  const std::vector<double>& kernel = in.list("kernel");
  const int64_t rows =
      std::accumulate(kernel.begin(), kernel.end(), channels,
                      [](int64_t n, double d) { return n * static_cast<int64_t>(d); });
  const int64_t dim = in.integer("bias") != 0 ? rows + 1 : rows;
  if (kernel.empty()) {
    const GemmShape shape(dim, dim, examples);
    in.scratchBytes = shape.scratchBytes();
    return [=](const Step& step) {
      const WithOnes<Examples> columns{{x.f32(step) + first, size, false}, rows, false};
      if (weighted)
        updateFactor(shape, weighting(columns, weights.f32(step), false), false, factorAt(step),
                     step);
      else
        updateFactor(shape, columns, false, factorAt(step), step);
    };
  }
  const Windows w(in, channels, x, static_cast<int64_t>(kernel.at(0)),
                  static_cast<int64_t>(kernel.at(1)));
  const GemmShape shape(dim, dim, examples * w.positions());
  in.scratchBytes = shape.scratchBytes();
  return [=](const Step& step) {
    const float* const images = x.f32(step) + first * w.plane();
    const WithOnes<Unfolded> columns{{images, size, w}, rows, true};
    updateFactor(shape, columns, true, factorAt(step), step);
  };
}

namespace {

// Rows from `first` on of dy [examples, outputs, positions] as outputs × (example, position).
struct GradColumns {
  const float* dy;
  int64_t outputs, first, positions;
  bool alongK;

  __device__ float at(int64_t i, int64_t column) const {
    return dy[(column / positions * outputs + first + i) * positions + column % positions];
  }
};

// A thread to a row of the table reads all tokens, whose weights are added in order.
__global__ void tokenFactor(int64_t vocabulary, int64_t rows, const int32_t* tokens,
                            const float* weights, double each, bool begins, const int32_t* updates,
                            const int32_t* status, float* factor) {
  if (isLeftOut(status, updates)) return;
  const double mean = 1.0 - 1.0 / *updates, decay = mean < 0.95 ? mean : 0.95;
  for (int64_t token = globalThread(); token < vocabulary; token += globalThreads()) {
    double own = 0;
    for (int64_t r = 0; r < rows; ++r)
      if (tokens[r] == token) own += weights ? weights[r] : each;
    factor[token] = static_cast<float>((begins ? decay : 1) * factor[token] + (1 - decay) * own);
  }
}

}  // namespace

Run op_kfacTokenFactor(Instruction& in) {
  const Operand status = in.inputs.at(0), factor = in.inputs.at(1);
  const Operand updates = in.inputs.at(2), tokens = in.inputs.at(3);
  const bool weighted = in.inputs.size() > 4;
  const Operand weights = weighted ? in.inputs[4] : Operand{};
  const double each = 1 / in.number("samples");
  const bool begins = in.integer("begins") != 0;
  return [=](const Step& step) {
    if (factor.size() * tokens.size() == 0) return;  // guard
    LAUNCH(tokenFactor, blocksFor(factor.size()), kThreads, 0, step.stream, factor.size(),
           tokens.size(), tokens.i32(step), weighted ? weights.f32(step) : nullptr,
           each, begins, updates.i32(step), status.i32(step), factor.f32(step));
  };
}

Run op_kfacGradFactor(Instruction& in) {
  const Operand status = in.inputs.at(0), factor = in.inputs.at(1);
  const Operand updates = in.inputs.at(2);
  const bool weighted = in.integer("weighted") != 0;
  const Operand weights = weighted ? in.inputs.at(3) : Operand{};
  const std::vector<Operand> gradients(in.inputs.begin() + (weighted ? 4 : 3), in.inputs.end());
  const int64_t examples = gradients.at(0).dim(0), outputs = gradients[0].dim(1);
  const int64_t first = static_cast<int64_t>(in.list("range").at(0));
  const int64_t dim = static_cast<int64_t>(in.list("range").at(1)) - first;
  const int64_t positions =
      examples * outputs == 0 ? 0 : gradients[0].size() / (examples * outputs);
  if (positions == 0) return [](const Step&) {};
  const GemmShape shape(dim, dim, examples * positions);
  in.scratchBytes = shape.scratchBytes();
  // s′ = dy / weight: the mean put its weight, 1/samples, into every row.
  const double scale = (weighted ? 1 : in.number("samples")) / static_cast<double>(positions);
  const bool begins = in.integer("begins") != 0;
  return [=](const Step& step) {
    for (const Operand& dy : gradients) {
      const GradColumns columns{dy.f32(step), outputs, first, positions, false};
      const Factor out{factor.f32(step), scale, begins && &dy == &gradients[0], updates.i32(step),
                       status.i32(step)};
      if (weighted)
        updateFactor(shape, weighting(columns, weights.f32(step), true), false, out, step);
      else
        updateFactor(shape, columns, positions > 1, out, step);
    }
  };
}

namespace {

// A matrix [rows, width] and what it is made of: a weight of the first columns, a bias of the last.
struct Layer {
  int64_t rows, width, weights;  // columns
};

__global__ void joinLayer(Layer layer, float decay, const float* weight, const float* dweight,
                          const float* bias, const float* dbias, float* v) {
  for (int64_t at = globalThread(); at < layer.rows * layer.width; at += globalThreads()) {
    const int64_t row = at / layer.width, i = at % layer.width;
    const int64_t from = row * layer.weights + i;
    v[at] =
        i < layer.weights ? dweight[from] + decay * weight[from] : dbias[row] + decay * bias[row];
  }
}

}  // namespace

Run op_kfacJoin(Instruction& in) {
  const std::vector<Operand> inputs = in.inputs;
  const Operand v = in.outputs.at(0);
  const bool bias = inputs.size() > 2;
  const float decay = static_cast<float>(in.number("weightDecay"));
  const Layer layer{v.dim(0), v.dim(1), bias ? v.dim(1) - 1 : v.dim(1)};
  return [=](const Step& step) {
    if (v.size() == 0) return;  // guard
    LAUNCH(joinLayer, blocksFor(v.size()), kThreads, 0, step.stream, layer, decay,
           inputs[0].f32(step), inputs[1].f32(step), bias ? inputs[2].f32(step) : nullptr,
           bias ? inputs[3].f32(step) : nullptr, v.f32(step));
  };
}

namespace {

// Without a bias in u the bias's part is 0.
__global__ void splitLayer(Layer layer, const float* nu, const float* u, float* weight,
                           float* bias) {
  const float scale = *nu;
  for (int64_t at = globalThread(); at < layer.rows * (layer.weights + 1); at += globalThreads()) {
    const int64_t row = at / (layer.weights + 1), i = at % (layer.weights + 1);
    if (i < layer.weights)
      weight[row * layer.weights + i] = scale * u[row * layer.width + i];
    else
      bias[row] = i < layer.width ? scale * u[row * layer.width + i] : 0.0f;
  }
}

}  // namespace

Run op_kfacSplit(Instruction& in) {
  const Operand u = in.inputs.at(0), nu = in.inputs.at(1);
  const Operand weight = in.outputs.at(0), bias = in.outputs.at(1);
  const int64_t rows = u.dim(0);
  const Layer layer{rows, u.dim(1), rows == 0 ? 0 : weight.size() / rows};
  return [=](const Step& step) {
    if (rows == 0) return;  // guard
    LAUNCH(splitLayer, blocksFor(rows * (layer.weights + 1)), kThreads, 0, step.stream, layer,
           nu.f32(step), u.f32(step), weight.f32(step), bias.f32(step));
  };
}

namespace {

__global__ void dotChunks(const Chunk<2>* chunks, int64_t count, char* const* table,
                          double* partial) {
  for (int64_t c = blockIdx.x; c < count; c += gridDim.x) {
    double sum = 0;
    forElements<2, 0>(chunks[c], table, [&](float* v) { sum += static_cast<double>(v[0]) * v[1]; });
    const double total = blockSum(sum);
    if (threadIdx.x == 0) partial[c] = total;
  }
}

// One block: ν ← min(1, √(κ / η² Σ uv)).
__global__ void clip(int64_t count, const double* partial, double kappa, const double* lr,
                     float* nu) {
  double sum = 0;
  for (int64_t c = threadIdx.x; c < count; c += kThreads) sum += partial[c];
  const double size = *lr * *lr * blockSum(sum);
  if (threadIdx.x == 0) *nu = size > kappa ? static_cast<float>(sqrt(kappa / size)) : 1.0f;
}

}  // namespace

Run op_klClip(Instruction& in) {
  const Operand nu = in.outputs.at(0);
  const double kappa = in.number("kappa");
  const int64_t lrSlot = in.integer("lrSlot");
  const ChunkList<2> list(in, in.inputs);
  in.scratchBytes = list.count() * static_cast<int64_t>(sizeof(double));
  return [=](const Step& step) {
    double* const partial = reinterpret_cast<double*>(step.scratch);
    if (list.count() > 0)
      LAUNCH(dotChunks, list.blocks(), kThreads, 0, step.stream, list.data(), list.count(),
             step.table, partial);
    LAUNCH(clip, 1, kThreads, 0, step.stream, list.count(), partial, kappa, step.row + lrSlot,
           nu.f32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
