// angularNoise: arccos ‖c‖₁/(√n‖c‖₂) of c = β₁m + (1−β₁)g, the angle between Lion's direction and
// its sign, of all tensors and of each; sums in double.
#include <cmath>

#include "cpu/base/kernels.h"
#include "cpu/updates/update.h"
#include "formulas/bf16.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

struct Norms {
  double sum = 0, squares = 0;
  void operator+=(const Norms& other) {
    sum += other.sum;
    squares += other.squares;
  }
  float angle(int64_t n) const {
    if (squares == 0) return 0;
    const double cosine = sum / std::sqrt(static_cast<double>(n) * squares);
    return static_cast<float>(std::acos(cosine > 1 ? 1 : cosine));
  }
};

}  // namespace

Run op_angularNoise(Instruction& in) {
  const std::vector<Operand> tensors = in.inputs;
  const std::vector<Operand> angles = in.outputs;
  const double beta1 = in.number("beta1");
  TensorChunks chunks;
  for (size_t t = 0; t < tensors.size(); t += 2) chunks.add(static_cast<int>(t), tensors[t].size());
  in.scratchBytes = chunks.count() * static_cast<int64_t>(sizeof(Norms));
  return [=](const Step& step) {
    Norms* const norms = reinterpret_cast<Norms*>(step.scratch);
    step.pool.parallel(chunks.count(), [&](int64_t i, int) {
      const auto chunk = chunks[i];
      const size_t t = static_cast<size_t>(chunk.tensor);
      const float* const g = tensors[t].f32(step);
      const char* const m = tensors[t + 1].data<char>(step);
      const bool narrow = tensors[t + 1].type.dtype == DType::bf16;
      norms[i] = Norms();
      for (int64_t j = chunk.begin; j < chunk.end; ++j) {
        const double c = beta1 * formulas::floatAt(m, narrow, j) + (1 - beta1) * g[j];
        norms[i].sum += std::fabs(c);
        norms[i].squares += c * c;
      }
    });
    Norms all;
    int64_t n = 0, i = 0;
    for (size_t t = 0; t < tensors.size(); t += 2) {
      Norms own;
      for (; i < chunks.count() && chunks[i].tensor == static_cast<int>(t); ++i) own += norms[i];
      *angles[1 + t / 2].f32(step) = own.angle(tensors[t].size());
      all += own;
      n += tensors[t].size();
    }
    *angles[0].f32(step) = all.angle(n);
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
