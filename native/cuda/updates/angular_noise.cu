// angularNoise: arccos ‖c‖₁/(√n‖c‖₂) of c = β₁m + (1−β₁)g, the angle between Lion's direction and
// its sign, of all tensors and of each; sums in double.
#include "cuda/base/kernels.h"
#include "cuda/base/totals.h"
#include "formulas/bf16.h"

namespace flatmin {
namespace cuda {

namespace {

struct Norms {
  double sum, squares;

  __device__ static Norms none() { return {0, 0}; }
  __device__ void meet(const Norms& other) {
    sum += other.sum;
    squares += other.squares;
  }
};

// Chunks of g and m, which is bfloat16 if it is narrow.
__global__ void blendNorms(const Chunk<2>* chunks, int64_t count, char* const* table, double beta1,
                           bool narrow, Norms* partial) {
  for (int64_t k = blockIdx.x; k < count; k += gridDim.x) {
    Norms mine = Norms::none();
    const float* const g = chunks[k].data(0, table);
    const char* const m = table[chunks[k].ids[1]];
    for (int64_t i = chunks[k].begin + threadIdx.x; i < chunks[k].end; i += kThreads) {
      const double c = beta1 * formulas::floatAt(m, narrow, i) + (1 - beta1) * g[i];
      mine.meet({fabs(c), c * c});
    }
    const Norms total = blockTotal(mine);
    if (threadIdx.x == 0) partial[k] = total;
  }
}

// Where an angle goes, and of how many elements it is.
struct Angle {
  int id;
  int64_t size;
};

__global__ void anglesOf(const Angle* angles, int64_t count, char* const* table,
                         const Norms* totals) {
  for (int64_t t = globalThread(); t < count; t += globalThreads()) {
    const Norms of = totals[t];
    const double cosine =
        of.squares == 0 ? 1 : of.sum / sqrt(static_cast<double>(angles[t].size) * of.squares);
    *reinterpret_cast<float*>(table[angles[t].id]) =
        static_cast<float>(acos(cosine > 1 ? 1 : cosine));
  }
}

}  // namespace

Run op_angularNoise(Instruction& in) {
  const ChunkList<2> list(in, in.inputs);
  std::vector<Span> ranges = spansOf(in.inputs, 2, true);
  for (const Span& span : spansOf(in.inputs, 2, false)) ranges.push_back(span);
  std::vector<Angle> outputs{{in.outputs.at(0).id, 0}};
  for (size_t t = 0; t < in.inputs.size(); t += 2) {
    outputs.push_back({in.outputs.at(1 + t / 2).id, in.inputs[t].size()});
    outputs[0].size += in.inputs[t].size();
  }
  const Constant<Span> spans(in, ranges);
  const Constant<Angle> angles(in, outputs);
  const double beta1 = in.number("beta1");
  const bool narrow = in.inputs.size() > 1 && in.inputs[1].type.dtype == DType::bf16;
  in.scratchBytes = (list.count() + spans.size()) * static_cast<int64_t>(sizeof(Norms));
  return [=](const Step& step) {
    Norms* const norms = reinterpret_cast<Norms*>(step.scratch);
    Norms* const totals = norms + list.count();
    if (list.count() > 0)
      LAUNCH(blendNorms, list.blocks(), kThreads, 0, step.stream, list.data(), list.count(),
             step.table, beta1, narrow, norms);
    addUp(spans, norms, totals, step);
    LAUNCH(anglesOf, blocksFor(angles.size()), kThreads, 0, step.stream, angles.data(),
           angles.size(), step.table, totals);
  };
}

}  // namespace cuda
}  // namespace flatmin
