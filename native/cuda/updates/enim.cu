// Enim: Lion with, for the sign, a random rotation of d = c/‖c‖ by a fixed angle: u = √n(cos φ · d
// + sin φ · r/‖r‖), r = z − (z·d)d with normals z. Two passes, each drawing z: three sums, and u =
// onC · c + onZ · z. In double, so that r may nearly vanish.
#include "cuda/base/kernels.h"
#include "cuda/base/random.h"
#include "cuda/base/scalar.h"
#include "cuda/base/totals.h"
#include "cuda/updates/update.h"

namespace flatmin {
namespace cuda {

namespace {

struct RotationSums {
  double n, cc, zc, zz;

  __device__ static RotationSums none() { return {0, 0, 0, 0}; }
  __device__ void meet(const RotationSums& other) {
    n += other.n;
    cc += other.cc;
    zc += other.zc;
    zz += other.zz;
  }
};

struct Coefficients {
  double onC, onZ;
};

__device__ inline Coefficients rotation(const RotationSums& s, double angle) {
  const double length = sqrt(s.cc);
  if (length == 0) return {0, 0};
  const double along = s.zc / length;
  const double rest = s.zz - along * along;
  if (s.n == 1 || rest <= 0) return {sqrt(s.n) / length, 0};
  const double onZ = sqrt(s.n) * sin(angle) / sqrt(rest);
  return {(sqrt(s.n) * cos(angle) - onZ * along) / length, onZ};
}

struct Enim {
  RandomSlots random;
  int64_t lrSlot;
  double beta1, beta2, weightDecay, angle;
  bool global;
  const double* numbers;  // of the tensors in their model

  __device__ double blend(double g, double m) const { return beta1 * m + (1 - beta1) * g; }

  // Normals of four elements from i on.
  __device__ void draw(const double* row, const int32_t* status, int tensor, int64_t i,
                       float z[4]) const {
    formulas::RandomSource source = random.at(row);
    source.step -= static_cast<uint32_t>(status[kSkipped]);
    source.stream += static_cast<uint32_t>(numbers[tensor]);
    const uint4 w = randomBlock(source, static_cast<uint64_t>(i) / 4);
    formulas::toNormals<float, uint32_t>(w.x, w.y, z[0], z[1], SqrtOf{});
    formulas::toNormals<float, uint32_t>(w.z, w.w, z[2], z[3], SqrtOf{});
  }
};

__global__ void rotationSums(const Chunk<3>* chunks, int64_t count, char* const* table,
                             const int32_t* status, const double* row, Enim rule,
                             RotationSums* partial) {
  if (standsStill(status)) return;
  for (int64_t k = blockIdx.x; k < count; k += gridDim.x) {
    RotationSums mine = RotationSums::none();
    forQuads<3, 0>(chunks[k], table, [&](int64_t i, int n, float (*v)[3]) {
      float z[4];
      rule.draw(row, status, chunks[k].index, i, z);
      for (int l = 0; l < n; ++l) {
        const double c = rule.blend(v[l][1], v[l][2]), zl = z[l];
        mine.meet({1, c * c, zl * c, zl * zl});
      }
    });
    const RotationSums total = blockTotal(mine);
    if (threadIdx.x == 0) partial[k] = total;
  }
}

__global__ void enim(const Chunk<3>* chunks, int64_t count, char* const* table,
                     const int32_t* status, const double* row, Enim rule,
                     const RotationSums* totals) {
  if (standsStill(status)) return;
  const double lr = row[rule.lrSlot];
  for (int64_t k = blockIdx.x; k < count; k += gridDim.x) {
    const int tensor = chunks[k].index;
    const Coefficients by = rotation(totals[rule.global ? 0 : tensor], rule.angle);
    forQuads<3, 5>(chunks[k], table, [&](int64_t i, int n, float (*v)[3]) {
      float z[4];
      rule.draw(row, status, tensor, i, z);
      for (int l = 0; l < n; ++l) {
        const double p = v[l][0], g = v[l][1], m = v[l][2];
        const double u = by.onC * rule.blend(g, m) + by.onZ * z[l];
        v[l][0] = static_cast<float>(p - lr * (u + rule.weightDecay * p));
        v[l][2] = static_cast<float>(rule.beta2 * m + (1 - rule.beta2) * g);
      }
    });
  }
}

}  // namespace

Run op_enim(Instruction& in) {
  const Operand status = in.inputs.at(0);
  const std::vector<Operand> operands(in.inputs.begin() + 1, in.inputs.end());
  const ChunkList<3> list(in, operands);
  const bool global = in.integer("global") != 0;
  const Constant<Span> spans(in, spansOf(operands, 3, global));
  const Constant<double> numbers(in, in.list("tensors"));
  const Enim fixed{RandomSlots(in),
                   in.integer("lrSlot"),
                   in.number("beta1"),
                   in.number("beta2"),
                   in.number("weightDecay"),
                   in.number("angle"),
                   global,
                   nullptr};
  in.scratchBytes = (list.count() + spans.size()) * static_cast<int64_t>(sizeof(RotationSums));
  return [=](const Step& step) {
    if (list.count() == 0) return;  // guard
    Enim rule = fixed;
    rule.numbers = numbers.data();
    RotationSums* const sums = reinterpret_cast<RotationSums*>(step.scratch);
    RotationSums* const totals = sums + list.count();
    LAUNCH(rotationSums, list.blocks(), kThreads, 0, step.stream, list.data(), list.count(),
           step.table, status.i32(step), step.row, rule, sums);
    addUp(spans, sums, totals, step);
    LAUNCH(enim, list.blocks(), kThreads, 0, step.stream, list.data(), list.count(), step.table,
           status.i32(step), step.row, rule, totals);
  };
}

}  // namespace cuda
}  // namespace flatmin
