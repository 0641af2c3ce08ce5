// The weight's gradient of winograd_5x5.h: dw = Gᵀ [Σ (A dy Aᵀ) ⊙ (Bᵀ x B)] G, summed over tiles
// and images.
#include "cpu/winograd/winograd_5x5_tiles.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

// Sums of some outputs for some channels are held in registers.
constexpr int kOutsAtOnce = kLanes == 16 ? 4 : 2;
constexpr int kChannels = 6;

// Gᵀ e
template <class Get>
void transformTapBack(Get e, double (&to)[5]) {
  constexpr double a = 2.0 / 3, b = 1.5;
  const double sum1 = -81.0 / 130 * (e(1) + e(2)), difference1 = -81.0 / 130 * (e(1) - e(2));
  const double sum2 = 8.0 / 65 * (e(3) + e(4)), difference2 = 8.0 / 65 * (e(3) - e(4));
  to[0] = e(0) + sum1 + sum2;
  to[1] = a * difference1 + b * difference2;
  to[2] = a * a * sum1 + b * b * sum2;
  to[3] = a * a * a * difference1 + b * b * b * difference2;
  to[4] = a * a * a * a * sum1 + b * b * b * b * sum2 + e(5);
}

// Gᵀ e G of a transformed tap matrix, its elements `stride` floats apart.
void transformTapsBack(const float* e, int64_t stride, float* to) {
  double columns[kPoints][5], row[5];
  for (int s = 0; s < kPoints; ++s)
    transformTapBack([=](int r) -> double { return e[(r * kPoints + s) * stride]; }, columns[s]);
  for (int i = 0; i < 5; ++i) {
    transformTapBack([&](int s) { return columns[s][i]; }, row);
    for (int j = 0; j < 5; ++j) to[5 * i + j] = static_cast<float>(row[j]);
  }
}

// Lane sums of up to kLanes vectors.
vf sumVectors(const vf* vectors, int64_t count) {
  vf rows[kLanes];
  for (int64_t i = 0; i < kLanes; ++i) rows[i] = i < count ? vectors[i] : vf{};
  return sumRows(rows);
}

// Σ over `tiles` of gradients [output][tile] times inputs [channel][tile]: sums[output * stride +
// channel].
template <int kO, int kC>
void multiplyGrad(const float* gradients, const float* inputs, int64_t tiles, float* sums,
                  int64_t stride) {
  vf sum[kO * kC] = {};
  for (int64_t t = 0; t < tiles; ++t) {
    vf own[kO];
    for (int i = 0; i < kO; ++i) own[i] = load(gradients + (i * tiles + t) * kLanes);
    for (int j = 0; j < kC; ++j) {
      const vf x = load(inputs + (j * tiles + t) * kLanes);
      for (int i = 0; i < kO; ++i) sum[i * kC + j] += own[i] * x;
    }
  }
  float totals[kO * kC + kLanes];
  for (int k = 0; k < kO * kC; k += kLanes)
    store(totals + k, sumVectors(sum + k, std::min(kLanes, kO * kC - k)));
  for (int i = 0; i < kO; ++i) std::copy_n(totals + i * kC, kC, sums + i * stride);
}

using MultiplyGrad = void (*)(const float*, const float*, int64_t, float*, int64_t);

template <int... i>
MultiplyGrad chooseMultiplyGrad(int64_t outs, int64_t channels, std::integer_sequence<int, i...>) {
  static constexpr MultiplyGrad table[] = {multiplyGrad<i / kChannels + 1, i % kChannels + 1>...};
  return table[(outs - 1) * kChannels + channels - 1];
}

}  // namespace

Run winograd5x5GradWeight(Instruction& in, const Convolution& conv, Operand x, Operand dy,
                          Operand dw, Operand db) {
  const TileBands bands(conv);
  const Windows w = conv.windows;
  const int64_t mostTiles = bands.rows * bands.across, weights = conv.out * w.channels;
  const int64_t inputFloats = kElements5x5 * w.channels * mostTiles * kLanes;
  const int64_t gradientFloats = kElements5x5 * kOutsAtOnce * mostTiles * kLanes;
  const int64_t perThread = std::max(bands.pixelFloats(), bands.outputFloats()) +
                            bands.columnFloats() + inputFloats + gradientFloats;
  const int64_t size = kElements5x5 * weights + conv.out, partial = FloatScratch::padded(size);
  const int64_t tasks = bands.tasks();
  in.scratchBytes =
      (tasks * partial + in.threads * perThread) * static_cast<int64_t>(sizeof(float));

  return [=](const Step& step) {
    float* const partials = reinterpret_cast<float*>(step.scratch);
    step.pool.parallel(tasks, [&](int64_t task, int thread) {
      FloatScratch scratch(partials + tasks * partial + thread * perThread);
      float* const pixels = scratch.take(std::max(bands.pixelFloats(), bands.outputFloats()));
      float* const columns = scratch.take(bands.columnFloats());
      float* const inputs = scratch.take(inputFloats);
      float* const gradients = scratch.take(gradientFloats);
      float* const sums = partials + task * partial;
      float* const biasSums = sums + kElements5x5 * weights;

      const TileBand band = bands.at(task);
      const int64_t tiles = band.rows * bands.across;
      for (int64_t c = 0; c < w.channels; ++c) {
        gatherInputs(bands, conv, band, x.f32(step), c, pixels);
        for (int64_t row = 0; row < band.rows; ++row)
          transformInputs(bands, pixels + 2 * row * bands.columns() * kLanes, bands.columns(),
                          columns, inputs + (c * tiles + row * bands.across) * kLanes,
                          w.channels * tiles);
      }
      forEvenParts(conv.out, kOutsAtOnce, [&](int64_t o, int64_t outs) {
        for (int64_t i = 0; i < outs; ++i) {
          gatherGradients(bands, conv, band, dy.f32(step), o + i, pixels);
          vf sum = {};
          for (int64_t e = 0; e < 4 * tiles; ++e) sum += load(pixels + e * kLanes);
          biasSums[o + i] = sumLanes(sum);
          for (int64_t row = 0; row < band.rows; ++row)
            transformGradients(bands, pixels + 4 * row * bands.across * kLanes, columns,
                               gradients + (i * tiles + row * bands.across) * kLanes, outs * tiles);
        }
        for (int e = 0; e < kElements5x5; ++e)
          forEvenParts(w.channels, kChannels, [&](int64_t c, int64_t channels) {
            chooseMultiplyGrad(outs, channels,
                               std::make_integer_sequence<int, kOutsAtOnce * kChannels>{})(
                gradients + e * outs * tiles * kLanes,
                inputs + (e * w.channels + c) * tiles * kLanes, tiles,
                sums + e * weights + o * w.channels + c, w.channels);
          });
      });
    });
    addPartials(partials, partial, tasks, size, step.pool);
    for (int64_t i = 0; i < weights; ++i)
      transformTapsBack(partials + i, weights, dw.f32(step) + 25 * i);
    if (db.id >= 0) std::copy_n(partials + kElements5x5 * weights, conv.out, db.f32(step));
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
