// Enim: Lion with, for the sign, a random rotation of d = c/‖c‖ by a fixed angle: u = √n(cos φ · d
// + sin φ · r/‖r‖), r = z − (z·d)d with normals z. Two passes, each drawing z: three sums, and u =
// onC · c + onZ · z. In double, so that r may nearly vanish.
#include <cmath>

#include "cpu/base/kernels.h"
#include "cpu/base/random.h"
#include "cpu/updates/update.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

static_assert(kChunk % kWordsPerRound == 0, "chunks begin with a block of random words");

struct Sums {
  double n = 0, cc = 0, zc = 0, zz = 0;
  void operator+=(const Sums& other) {
    n += other.n;
    cc += other.cc;
    zc += other.zc;
    zz += other.zz;
  }
};

struct Coefficients {
  double onC, onZ;
};

Coefficients rotation(const Sums& s, double angle) {
  const double length = std::sqrt(s.cc);
  if (length == 0) return {0, 0};
  const double along = s.zc / length;
  const double rest = s.zz - along * along;
  if (s.n == 1 || rest <= 0) return {std::sqrt(s.n) / length, 0};
  const double onZ = std::sqrt(s.n) * std::sin(angle) / std::sqrt(rest);
  return {(std::sqrt(s.n) * std::cos(angle) - onZ * along) / length, onZ};
}

}  // namespace

Run op_enim(Instruction& in) {
  const int64_t lrSlot = in.integer("lrSlot");
  const double beta1 = in.number("beta1");
  const double beta2 = in.number("beta2");
  const double weightDecay = in.number("weightDecay");
  const double angle = in.number("angle");
  const bool global = in.integer("global") != 0;
  const RandomSlots random(in);
  const std::vector<double> tensors = in.list("tensors");
  const UpdateList<3> list(in);
  const int64_t chunks = list.chunks.count();
  in.scratchBytes = (chunks + list.tensors()) * static_cast<int64_t>(sizeof(Sums));
  return [=](const Step& step) {
    if (standsStill(list.status.i32(step))) return;
    const double lr = step.row[lrSlot];
    Sums* const sums = reinterpret_cast<Sums*>(step.scratch);
    Sums* const totals = sums + chunks;
    // body(element of the chunk, c, z, lane of the round)
    const auto forElements = [&](const TensorChunks::Chunk& chunk, auto body) {
      formulas::RandomSource source = random.at(step);
      source.step -= static_cast<uint32_t>(list.status.i32(step)[kSkipped]);
      source.stream += static_cast<uint32_t>(tensors.at(static_cast<size_t>(chunk.tensor / 3)));
      const float* const g = list.data(chunk, 1, step);
      const float* const m = list.data(chunk, 2, step);
      const int64_t size = chunk.end - chunk.begin;
      float z[kWordsPerRound];
      for (int64_t at = 0; at < size; at += kWordsPerRound) {
        randomNormals(source, static_cast<uint64_t>(chunk.begin + at) / 4, z);
        const int64_t n = std::min<int64_t>(kWordsPerRound, size - at);
        for (int64_t l = 0; l < n; ++l)
          body(at + l, beta1 * m[at + l] + (1 - beta1) * g[at + l], z[l], l);
      }
    };
    step.pool.parallel(chunks, [&](int64_t i, int) {
      const auto& chunk = list.chunks[i];
      Sums lanes[kWordsPerRound];
      forElements(chunk, [&](int64_t, double c, double z, int64_t lane) {
        lanes[lane] += {1, c * c, z * c, z * z};
      });
      sums[i] = Sums();
      for (const Sums& lane : lanes) sums[i] += lane;
    });
    list.total(sums, totals);
    if (global) {
      Sums all;
      for (int64_t t = 0; t < list.tensors(); ++t) all += totals[t];
      std::fill(totals, totals + list.tensors(), all);
    }
    step.pool.parallel(chunks, [&](int64_t i, int) {
      const auto& chunk = list.chunks[i];
      const Coefficients by = rotation(totals[chunk.tensor / 3], angle);
      float* const p = list.data(chunk, 0, step);
      const float* const g = list.data(chunk, 1, step);
      float* const m = list.data(chunk, 2, step);
      forElements(chunk, [&](int64_t j, double c, double z, int64_t) {
        p[j] = static_cast<float>(p[j] - lr * (by.onC * c + by.onZ * z + weightDecay * p[j]));
        m[j] = static_cast<float>(beta2 * m[j] + (1 - beta2) * g[j]);
      });
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
