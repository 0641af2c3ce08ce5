// lpDirection: sign(g)|g|^(q−1) / ‖g‖_q^(q−1) over a list of tensors as one vector, 1/p + 1/q = 1.
#include <cmath>

#include "cpu/base/kernels.h"
#include "cpu/updates/update.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

// What a chunk gives: its first element of the largest size (or its first NaN), then its Σ
// |g/max|^q.
struct Peak {
  float size;
  int64_t at;
  double total;
};

bool exceeds(float size, float known) { return !(size <= known) && known == known; }

Peak peakOf(const float* x, int64_t n) {
  Peak peak{0, 0, 0};
  for (int64_t i = 0; i < n; ++i)
    if (exceeds(std::fabs(x[i]), peak.size)) peak = {std::fabs(x[i]), i, 0};
  return peak;
}

float signOfScalar(float x) { return x > 0 ? 1.0f : (x < 0 ? -1.0f : x); }

// y ← sign(x) |x/size|^exponent; returns Σ |x/size|^(exponent + 1).
double raise(float* y, const float* x, int64_t n, float size, double exponent) {
  double total = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double share = std::fabs(static_cast<double>(x[i])) / size;
    const double power = exponent == 0 ? 1 : std::pow(share, exponent);
    total += power * share;
    y[i] = static_cast<float>(power) * signOfScalar(x[i]);
  }
  return total;
}

}  // namespace

Run op_lpDirection(Instruction& in) {
  const std::vector<Operand> tensors = in.inputs;
  const std::vector<Operand> directions = in.outputs;
  const double p = in.number("p");
  const double exponent = 1 / (p - 1);  // q − 1
  TensorChunks chunks;
  for (size_t t = 0; t < tensors.size(); ++t) chunks.add(static_cast<int>(t), tensors[t].size());
  in.scratchBytes = chunks.count() * static_cast<int64_t>(sizeof(Peak));
  return [=](const Step& step) {
    Peak* const peaks = reinterpret_cast<Peak*>(step.scratch);
    const auto input = [&](int64_t i) {
      return tensors[static_cast<size_t>(chunks[i].tensor)].f32(step) + chunks[i].begin;
    };
    const auto output = [&](int64_t i) {
      return directions[static_cast<size_t>(chunks[i].tensor)].f32(step) + chunks[i].begin;
    };
    const auto length = [&](int64_t i) { return chunks[i].end - chunks[i].begin; };

    step.pool.parallel(chunks.count(),
                       [&](int64_t i, int) { peaks[i] = peakOf(input(i), length(i)); });
    float size = 0;
    int64_t top = 0;
    for (int64_t i = 0; i < chunks.count(); ++i)
      if (exceeds(peaks[i].size, size)) {
        size = peaks[i].size;
        top = i;
      }
    if (size == 0 || p == 1) {
      step.pool.parallel(chunks.count(), [&](int64_t i, int) {
        std::fill(output(i), output(i) + length(i), 0.0f);
      });
      if (size != 0) output(top)[peaks[top].at] = signOfScalar(input(top)[peaks[top].at]);
      return;
    }
    step.pool.parallel(chunks.count(), [&](int64_t i, int) {
      peaks[i].total = raise(output(i), input(i), length(i), size, exponent);
    });
    double total = 0;
    for (int64_t i = 0; i < chunks.count(); ++i) total += peaks[i].total;
    const float scale = static_cast<float>(std::pow(total, -1 / p));
    step.pool.parallel(chunks.count(), [&](int64_t i, int) {
      float* const y = output(i);
      for (int64_t k = 0; k < length(i); ++k) y[k] *= scale;
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
