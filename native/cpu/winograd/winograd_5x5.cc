#include "cpu/winograd/winograd_5x5.h"

#include "cpu/winograd/winograd_5x5_tiles.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

// The registers hold sums of some channels for some tiles.
constexpr int kSums = kLanes == 16 ? 24 : 12;
constexpr int kMostChannels = 6, kMostTilesAtOnce = 6;

int64_t channelsAtOnce(int64_t channels) { return channels % 4 == 0 ? 4 : kMostChannels; }
int64_t tilesAtOnce(int64_t channels) { return kSums / channelsAtOnce(channels); }

// G g
template <class Get>
void transformTap(Get g, double (&to)[kPoints]) {
  constexpr double a = 2.0 / 3, b = 1.5;
  const double even1 = g(0) + a * a * (g(2) + a * a * g(4)), odd1 = a * (g(1) + a * a * g(3));
  const double even2 = g(0) + b * b * (g(2) + b * b * g(4)), odd2 = b * (g(1) + b * b * g(3));
  to[0] = g(0);
  to[1] = -81.0 / 130 * (even1 + odd1);
  to[2] = -81.0 / 130 * (even1 - odd1);
  to[3] = 8.0 / 65 * (even2 + odd2);
  to[4] = 8.0 / 65 * (even2 - odd2);
  to[5] = g(4);
}

// G w Gᵀ of a tap matrix, its elements `stride` floats apart.
void transformTaps(const float* w, float* to, int64_t stride) {
  double columns[5][kPoints], row[kPoints];
  for (int j = 0; j < 5; ++j)
    transformTap([=](int i) -> double { return w[5 * i + j]; }, columns[j]);
  for (int r = 0; r < kPoints; ++r) {
    transformTap([&](int j) { return columns[j][r]; }, row);
    for (int s = 0; s < kPoints; ++s) to[(r * kPoints + s) * stride] = static_cast<float>(row[s]);
  }
}

// Products of transformed taps [element][from][to] with tiles [element][from][across].
struct Products {
  const float* taps;
  const float* tiles;
  int64_t from, to, across;
};

// For some channels `to` and tiles: sums[element][to][tile].
template <int kTo, int kTiles>
void multiply(const Products& p, int64_t to, int64_t tile, float* sums) {
  const float* taps = p.taps + to;
  const float* tiles = p.tiles + tile * kLanes;
  for (int e = 0; e < kElements5x5; ++e, sums += kTo * kTiles * kLanes) {
    vf sum[kTo][kTiles] = {};
    for (int64_t k = 0; k < p.from; ++k, taps += p.to, tiles += p.across * kLanes) {
      vf x[kTiles];
      for (int j = 0; j < kTiles; ++j) x[j] = load(tiles + j * kLanes);
      for (int i = 0; i < kTo; ++i)
        for (int j = 0; j < kTiles; ++j) sum[i][j] += taps[i] * x[j];
    }
    for (int i = 0; i < kTo; ++i)
      for (int j = 0; j < kTiles; ++j) store(sums + (i * kTiles + j) * kLanes, sum[i][j]);
  }
}

using Multiply = void (*)(const Products&, int64_t, int64_t, float*);

template <int... i>
Multiply chooseMultiply(int64_t channels, int64_t tiles, std::integer_sequence<int, i...>) {
  static constexpr Multiply table[] = {
      multiply<i / kMostTilesAtOnce + 1,
               std::min(i % kMostTilesAtOnce + 1, kSums / (i / kMostTilesAtOnce + 1))>...};
  return table[(channels - 1) * kMostTilesAtOnce + tiles - 1];
}

// body(to, channels, tile, tiles, sums) for all products, sums as `multiply` leaves them.
template <class Body>
void forProducts(const Products& p, float* sums, Body body) {
  forEvenParts(p.to, channelsAtOnce(p.to), [&](int64_t to, int64_t channels) {
    forEvenParts(p.across, std::min<int64_t>(tilesAtOnce(p.to), kMostTilesAtOnce),
                 [&](int64_t tile, int64_t tiles) {
                   chooseMultiply(
                       channels, tiles,
                       std::make_integer_sequence<int, kMostChannels * kMostTilesAtOnce>{})(
                       p, to, tile, sums);
                   body(to, channels, tile, tiles);
                 });
  });
}

}  // namespace

Run winograd5x5(Instruction& in, const Convolution& conv, Operand x, Operand weight, Operand bias,
                Operand y) {
  const TileBands bands(conv);
  const Windows w = conv.windows;
  const int64_t weights = conv.out * w.channels;
  const int64_t tapFloats = FloatScratch::padded(kElements5x5 * weights);
  const int64_t tileFloats = kElements5x5 * w.channels * bands.across * kLanes;
  const int64_t perThread = bands.pixelFloats() * w.channels + bands.columnFloats() + tileFloats +
                            kElements5x5 * kSums * kLanes + bands.outputFloats() * conv.out;
  in.scratchBytes = (tapFloats + in.threads * perThread) * static_cast<int64_t>(sizeof(float));

  return [=](const Step& step) {
    float* const taps = reinterpret_cast<float*>(step.scratch);
    step.pool.parallel(conv.out, [&](int64_t o, int) {
      for (int64_t c = 0; c < w.channels; ++c)
        transformTaps(weight.f32(step) + (o * w.channels + c) * 25, taps + c * conv.out + o,
                      weights);
    });
    step.pool.parallel(bands.tasks(), [&](int64_t task, int thread) {
      FloatScratch scratch(taps + tapFloats + thread * perThread);
      float* const pixels = scratch.take(bands.pixelFloats() * w.channels);
      float* const columns = scratch.take(bands.columnFloats());
      float* const tiles = scratch.take(tileFloats);
      float* const sums = scratch.take(kElements5x5 * kSums * kLanes);
      float* const outputs = scratch.take(bands.outputFloats() * conv.out);

      const TileBand band = bands.at(task);
      for (int64_t c = 0; c < w.channels; ++c)
        gatherInputs(bands, conv, band, x.f32(step), c, pixels + c * bands.pixelFloats());
      const int64_t pitch = 2 * bands.across;
      for (int64_t row = 0; row < band.rows; ++row) {
        for (int64_t c = 0; c < w.channels; ++c)
          transformInputs(bands,
                          pixels + c * bands.pixelFloats() + 2 * row * bands.columns() * kLanes,
                          bands.columns(), columns, tiles + c * bands.across * kLanes,
                          w.channels * bands.across);
        const Products products{taps, tiles, w.channels, conv.out, bands.across};
        forProducts(products, sums, [&](int64_t o, int64_t outs, int64_t tile, int64_t count) {
          for (int64_t i = 0; i < outs; ++i)
            transformOutputs(
                sums + i * count * kLanes, outs * count, count,
                bias.id < 0 ? 0.0f : bias.f32(step)[o + i],
                outputs + (o + i) * bands.outputFloats() + (2 * row * pitch + 2 * tile) * kLanes,
                pitch);
        });
      }
      const int64_t rows = std::min(2 * band.rows, w.outHeight() - 2 * band.row);
      for (int64_t o = 0; o < conv.out; ++o)
        fromLanes(outputs + o * bands.outputFloats(), pitch, rows, w.outWidth(),
                  y.f32(step) + conv.outputAt(band.image, 0) + o * conv.positions() +
                      2 * band.row * w.outWidth(),
                  conv.outputAt(1, 0), band.images);
    });
  };
}

Run winograd5x5GradInput(Instruction& in, const Convolution& conv, Operand dy, Operand weight,
                         Operand dx) {
  TileBands bands(conv);
  bands.cut(1);  // the pixels of rows of tiles overlap
  const Windows w = conv.windows;
  const int64_t weights = conv.out * w.channels;
  const int64_t tapFloats = FloatScratch::padded(kElements5x5 * weights);
  const int64_t gradientFloats = bands.outputFloats() * conv.out;
  const int64_t columnFloats = bands.columnFloats() * w.channels;
  const int64_t tileFloats = kElements5x5 * conv.out * bands.across * kLanes;
  const int64_t perThread = gradientFloats + bands.columnFloats() + tileFloats +
                            kElements5x5 * kSums * kLanes + columnFloats +
                            bands.pixelFloats() * w.channels;
  in.scratchBytes = (tapFloats + in.threads * perThread) * static_cast<int64_t>(sizeof(float));

  return [=](const Step& step) {
    float* const taps = reinterpret_cast<float*>(step.scratch);
    step.pool.parallel(conv.out, [&](int64_t o, int) {
      for (int64_t c = 0; c < w.channels; ++c)
        transformTaps(weight.f32(step) + (o * w.channels + c) * 25, taps + o * w.channels + c,
                      weights);
    });
    step.pool.parallel(bands.tasks(), [&](int64_t task, int thread) {
      FloatScratch scratch(taps + tapFloats + thread * perThread);
      float* const gradients = scratch.take(gradientFloats);
      float* const gradientColumns = scratch.take(bands.columnFloats());
      float* const tiles = scratch.take(tileFloats);
      float* const sums = scratch.take(kElements5x5 * kSums * kLanes);
      float* const columns = scratch.take(columnFloats);
      float* const pixels = scratch.take(bands.pixelFloats() * w.channels);

      const TileBand band = bands.at(task);
      for (int64_t o = 0; o < conv.out; ++o)
        gatherGradients(bands, conv, band, dy.f32(step), o, gradients + o * bands.outputFloats());
      std::fill(pixels, pixels + bands.pixelFloats() * w.channels, 0.0f);
      const int64_t pitch = bands.columns();
      for (int64_t row = 0; row < band.rows; ++row) {
        for (int64_t o = 0; o < conv.out; ++o)
          transformGradients(
              bands, gradients + o * bands.outputFloats() + 4 * row * bands.across * kLanes,
              gradientColumns, tiles + o * bands.across * kLanes, conv.out * bands.across);
        std::fill(columns, columns + columnFloats, 0.0f);
        const Products products{taps, tiles, conv.out, w.channels, bands.across};
        forProducts(products, sums, [&](int64_t c, int64_t channels, int64_t tile, int64_t count) {
          for (int64_t i = 0; i < channels; ++i)
            addTiles(bands, sums + i * count * kLanes, channels * count, tile, count,
                     columns + (c + i) * bands.columnFloats());
        });
        for (int64_t c = 0; c < w.channels; ++c)
          addColumns(bands, columns + c * bands.columnFloats(),
                     pixels + c * bands.pixelFloats() + 2 * row * pitch * kLanes);
      }
      for (int64_t c = 0; c < w.channels; ++c)
        fromLanes(pixels + c * bands.pixelFloats() + (w.padY * pitch + w.padX) * kLanes, pitch,
                  w.height, w.width,
                  dx.f32(step) + conv.inputAt(band.image, 0) + c * w.height * w.width,
                  conv.inputAt(1, 0), band.images);
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
