#include "cpu/conv/window_gram.h"

#include <cstdlib>

#include "cpu/base/lower.h"
#include "cpu/conv/image_lanes.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

// sums[j K + j′] += Σ_x a(x + j) b(x + j′) over x < outWidth, K − 1 <= outWidth. The displacement
// d = j′ − j sees q = x + j in [j, j + outWidth): what all its j have in common, and a left and a
// right border.
template <int K>
void addRow(const float* a, const float* b, int64_t outWidth, float* sums) {
  const auto pixel = [](const float* row, int64_t q) { return load(row + q * kLanes); };
  vf common[2 * K - 1] = {};
  for (int64_t q = K - 1; q < outWidth; ++q) {
    const vf own = pixel(a, q);
    FLATMIN_UNROLL
    for (int d = 1 - K; d < K; ++d) common[d + K - 1] += own * pixel(b, q + d);
  }
  FLATMIN_UNROLL
  for (int d = 1 - K; d < K; ++d) {
    const int first = std::max(0, -d), last = K - 1 - std::max(0, d);
    const auto product = [&](int64_t q) { return pixel(a, q) * pixel(b, q + d); };
    vf sum = common[d + K - 1];
    for (int q = last; q < K - 1; ++q) sum += product(q);
    for (int q = 0; q < first; ++q) sum += product(outWidth + q);
    vf left[K];  // of j: q in [j, last)
    left[last] = vf{};
    for (int j = last - 1; j >= first; --j) left[j] = left[j + 1] + product(j);
    for (int j = first; j <= last; ++j) {
      float* const to = sums + (j * K + j + d) * kLanes;
      store(to, load(to) + (sum + left[j]));
      if (j < last) sum += product(outWidth + j);
    }
  }
}

using AddRow = void (*)(const float*, const float*, int64_t, float*);

AddRow addRowOf(int64_t kernelWidth) {
  switch (kernelWidth) {
    case 3:
      return addRow<3>;
    case 5:
      return addRow<5>;
    case 7:
      return addRow<7>;
    default:
      return nullptr;
  }
}

void addVectors(float* to, const float* from, int64_t floats) {
  for (int64_t i = 0; i < floats; i += kLanes) store(to + i, load(to + i) + load(from + i));
}

// The lane sums of `count` vectors, in place: float i from vector i.
void sumEachVector(float* vectors, int64_t count) {
  for (int64_t i = 0; i < count; i += kLanes) {
    vf rows[kLanes];
    for (int64_t l = 0; l < kLanes; ++l)
      rows[l] = i + l < count ? load(vectors + (i + l) * kLanes) : vf{};
    store(vectors + i, sumRows(rows));
  }
}

void put(const GemmOut& out, int64_t i, int64_t j, float sum) {
  float& to = out.data[packedSize(std::max(i, j)) + std::min(i, j)];
  to = out.beta == 0 ? out.alpha * sum : out.alpha * sum + out.beta * to;
}

}  // namespace

WindowGram::WindowGram(const Windows& windows, bool bias) : windows_(windows), bias_(bias) {
  const Windows& w = windows;
  for (int64_t c = 0; c < w.channels; ++c)
    for (int64_t other = c; other < w.channels; ++other)
      for (int64_t down = other == c ? 0 : 1 - w.kernelHeight; down < w.kernelHeight; ++down)
        pairs_.push_back({c, other, down});
}

bool WindowGram::pays() const {
  const Windows& w = windows_;
  if (w.strideX != 1 || w.strideY != 1 || addRowOf(w.kernelWidth) == nullptr) return false;
  if (w.outHeight() < w.kernelHeight - 1 || w.outWidth() < w.kernelWidth - 1) return false;
  const int64_t row = (2 * w.kernelWidth - 1) * w.outWidth() + 3 * w.kernelWidth * w.kernelWidth;
  const int64_t rows = w.channels * w.channels * (2 * w.kernelHeight - 1) * w.paddedHeight();
  return rows * row < w.positions() * w.taps() * w.taps();
}

int64_t WindowGram::floatsPerThread() const {
  const Windows& w = windows_;
  const int64_t rowSums = (2 * w.kernelHeight - 1) * w.kernelWidth * w.kernelWidth;
  const int64_t columnSums = w.paddedWidth() + w.kernelHeight * w.kernelWidth;
  return std::max(rowSums, columnSums) * kLanes;
}

int64_t WindowGram::scratchFloats(int64_t examples, int threads) const {
  return ceilDiv(examples, kLanes) * windows_.channels * planeFloats() +
         threads * floatsPerThread();
}

void WindowGram::add(const float* images, int64_t stride, int64_t examples, GemmOut out,
                     float* scratch, ThreadPool& pool) const {
  const Windows& w = windows_;
  const int64_t groups = ceilDiv(examples, kLanes), plane = planeFloats();
  const int64_t width = w.paddedWidth(), size = w.height * w.width;
  float* const lanes = scratch;
  float* const sums = lanes + groups * w.channels * plane;
  pool.parallel(groups * w.channels, [&](int64_t i, int) {
    const int64_t first = i / w.channels * kLanes, channel = i % w.channels;
    float* const to = lanes + i * plane;
    if (w.isPadded()) std::fill_n(to, plane, 0.0f);
    toLanes(images + first * stride + channel * size, stride,
            std::min<int64_t>(kLanes, examples - first), w.height, w.width,
            to + (w.padY * width + w.padX) * kLanes, width);
  });

  const int64_t pairs = static_cast<int64_t>(pairs_.size());
  pool.parallel(pairs + (bias_ ? w.channels : 0), [&](int64_t task, int thread) {
    float* const own = sums + thread * floatsPerThread();
    if (task < pairs) {
      products(pairs_[static_cast<size_t>(task)], lanes, groups, own, out);
    } else {
      this->sums(task - pairs, lanes, groups, own, out);
    }
  });
  if (bias_) put(out, w.taps(), w.taps(), static_cast<float>(examples * w.positions()));
}

// Rows of the windows whose row i meets row i + down: those that all i have in common, then those
// above, then those below.
void WindowGram::products(const Pair& pair, const float* lanes, int64_t groups, float* scratch,
                          const GemmOut& out) const {
  const Windows& w = windows_;
  const AddRow addRow = addRowOf(w.kernelWidth);
  const int64_t width = w.paddedWidth() * kLanes, plane = planeFloats(), tall = w.outHeight();
  const int64_t places = w.kernelWidth * w.kernelWidth, floats = places * kLanes;
  const int64_t first = std::max<int64_t>(0, -pair.down);
  const int64_t borders = w.kernelHeight - 1 - std::abs(pair.down);  // above, and below
  float* const common = scratch;
  float* const above = common + floats;
  float* const below = above + borders * floats;
  std::fill_n(scratch, (2 * borders + 1) * floats, 0.0f);
  for (int64_t group = 0; group < groups; ++group) {
    const float* const a = lanes + (group * w.channels + pair.channel) * plane;
    const float* const b = lanes + (group * w.channels + pair.other) * plane + pair.down * width;
    for (int64_t y = 0; y < borders + tall; ++y) {
      float* const to = y < borders ? above + y * floats
                        : y < tall  ? common
                                    : below + (y - tall) * floats;
      addRow(a + (first + y) * width, b + (first + y) * width, w.outWidth(), to);
    }
  }

  for (int64_t i = borders - 2; i >= 0; --i)
    addVectors(above + i * floats, above + (i + 1) * floats, floats);
  for (int64_t i = 1; i < borders; ++i)
    addVectors(below + i * floats, below + (i - 1) * floats, floats);
  // Window i < borders misses nothing above from its own row on, window i > 0 ends below row i − 1.
  sumEachVector(scratch, (2 * borders + 1) * places);
  for (int64_t i = 0; i <= borders; ++i) {
    const int64_t row = (pair.channel * w.kernelHeight + first + i) * w.kernelWidth;
    const int64_t column = (pair.other * w.kernelHeight + first + i + pair.down) * w.kernelWidth;
    for (int64_t j = 0; j < w.kernelWidth; ++j) {
      for (int64_t other = 0; other < w.kernelWidth; ++other) {
        if (pair.channel == pair.other && pair.down == 0 && other > j) break;
        const float* const at = scratch + j * w.kernelWidth + other;
        float sum = at[0];
        if (i < borders) sum += at[(1 + i) * places];
        if (i > 0) sum += at[(borders + i) * places];
        put(out, row + j, column + other, sum);
      }
    }
  }
}

// A channel's row against the 1 of the bias.
void WindowGram::sums(int64_t channel, const float* lanes, int64_t groups, float* scratch,
                      const GemmOut& out) const {
  const Windows& w = windows_;
  const int64_t width = w.paddedWidth(), places = w.kernelHeight * w.kernelWidth;
  float* const totals = scratch;
  float* const columns = totals + places * kLanes;
  std::fill_n(totals, places * kLanes, 0.0f);
  for (int64_t group = 0; group < groups; ++group) {
    const float* const plane = lanes + (group * w.channels + channel) * planeFloats();
    for (int64_t i = 0; i < w.kernelHeight; ++i) {
      std::fill_n(columns, width * kLanes, 0.0f);
      for (int64_t y = 0; y < w.outHeight(); ++y)
        addVectors(columns, plane + (i + y) * width * kLanes, width * kLanes);
      for (int64_t j = 0; j < w.kernelWidth; ++j) {
        vf sum = {};
        for (int64_t x = 0; x < w.outWidth(); ++x) sum += load(columns + (j + x) * kLanes);
        float* const to = totals + (i * w.kernelWidth + j) * kLanes;
        store(to, load(to) + sum);
      }
    }
  }
  sumEachVector(totals, places);
  for (int64_t e = 0; e < places; ++e) put(out, w.taps(), channel * places + e, totals[e]);
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
