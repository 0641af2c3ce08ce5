// Max and average pooling of images [n, c, h, w] and their gradients; 2×2 windows side by side, the
// usual case, have loops of their own.
#include "cpu/base/kernels.h"
#include "cpu/conv/unfold.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

constexpr int64_t kTaskElements = 1 << 15;

// The planes [h, w] of a tensor with the windows on each.
struct Pool {
  Windows windows;
  int64_t planes;

  Pool(const Instruction& in, const Operand& x) : planes(x.dim(0) * x.dim(1)) {
    const auto attr = [&](const char* name, size_t i) {
      return static_cast<int64_t>(in.list(name).at(i));
    };
    windows = {1,
               x.dim(2),
               x.dim(3),
               attr("kernel", 0),
               attr("kernel", 1),
               attr("stride", 0),
               attr("stride", 1),
               attr("padding", 0),
               attr("padding", 1)};
  }

  int64_t plane() const { return windows.height * windows.width; }
  // 2×2 windows side by side.
  bool isHalving() const {
    const Windows& w = windows;
    return w.kernelHeight == 2 && w.kernelWidth == 2 && w.strideY == 2 && w.strideX == 2 &&
           !w.isPadded();
  }

  // body(plane) for every plane, several to a task.
  template <class Body>
  void forPlanes(ThreadPool& pool, Body body) const {
    const int64_t perTask = std::max<int64_t>(kTaskElements / std::max<int64_t>(plane(), 1), 1);
    pool.parallel((planes + perTask - 1) / perTask, [&](int64_t task, int) {
      const int64_t end = std::min((task + 1) * perTask, planes);
      for (int64_t p = task * perTask; p < end; ++p) body(p);
    });
  }

  // body(position, y, yEnd, x, xEnd) with the rows and columns of the plane that are in the window.
  template <class Body>
  void forWindows(Body body) const {
    const Windows& w = windows;
    const int64_t outHeight = w.outHeight(), outWidth = w.outWidth();
    for (int64_t oy = 0; oy < outHeight; ++oy) {
      const int64_t top = oy * w.strideY - w.padY, bottom = top + w.kernelHeight;
      for (int64_t ox = 0; ox < outWidth; ++ox) {
        const int64_t left = ox * w.strideX - w.padX, right = left + w.kernelWidth;
        body(oy * outWidth + ox, std::max<int64_t>(top, 0), std::min(bottom, w.height),
             std::max<int64_t>(left, 0), std::min(right, w.width));
      }
    }
  }
};

// Whether `candidate` takes the place of `best`: a NaN wins, else the first of equals.
inline bool wins(float candidate, float best) { return !(candidate <= best) && best == best; }

// Elements 0, 2, 4 … and 1, 3, 5 … of 2 W floats.
template <int W, class Sequence = std::make_integer_sequence<int, W>>
struct Pairs;
template <int W, int... l>
struct Pairs<W, std::integer_sequence<int, l...>> {
  using L = Lane<W>;
  typename L::F even, odd;

  static Pairs load(const float* from) {
    const auto a = L::load(from), b = L::load(from + W);
    return {shuffle(a, b, std::integer_sequence<int, 2 * l...>()),
            shuffle(a, b, std::integer_sequence<int, (2 * l + 1)...>())};
  }
  void store(float* to) const {
    using Low = std::integer_sequence<int, (l % 2 * W + l / 2)...>;
    using High = std::integer_sequence<int, ((l + W) % 2 * W + (l + W) / 2)...>;
    const auto low = shuffle(even, odd, Low()), high = shuffle(even, odd, High());
    std::memcpy(to, &low, sizeof low);
    std::memcpy(to + W, &high, sizeof high);
  }
  // Where each even element stands, from `at` on.
  static typename L::I places(int64_t at) {
    return typename L::I{2 * l...} + static_cast<int32_t>(at);
  }
};

void maxHalving(const Windows& w, const float* x, float* y, int32_t* index) {
  const int64_t n = w.outWidth(), rows = w.outHeight(), width = w.width;
  withWidth(n, [=](auto lanes) {
    using P = Pairs<decltype(lanes)::value>;
    for (int64_t row = 0; row < rows; ++row) {
      forPieces<decltype(lanes)::value>(n, [=](int64_t i) {
        const int64_t at = 2 * (row * width + i);
        const P upper = P::load(x + at), lower = P::load(x + at + width);
        auto best = upper.even;
        auto place = P::places(at);
        const auto offer = [&](auto candidate, int64_t where) {
          const auto take = ~(candidate <= best) & (best == best);
          best = take ? candidate : best;
          place = take ? P::places(where) : place;
        };
        offer(upper.odd, at + 1);
        offer(lower.even, at + width);
        offer(lower.odd, at + width + 1);
        std::memcpy(y + row * n + i, &best, sizeof best);
        std::memcpy(index + row * n + i, &place, sizeof place);
      });
    }
  });
}

}  // namespace

Run op_maxPool2d(Instruction& in) {
  const Operand x = in.inputs.at(0), y = in.outputs.at(0), index = in.outputs.at(1);
  const Pool pool(in, x);
  const int64_t positions = pool.windows.positions(), width = pool.windows.width;
  return [=](const Step& step) {
    pool.forPlanes(step.pool, [&](int64_t p) {
      const float* from = x.f32(step) + p * pool.plane();
      float* to = y.f32(step) + p * positions;
      int32_t* places = index.i32(step) + p * positions;
      if (pool.isHalving()) return maxHalving(pool.windows, from, to, places);
      pool.forWindows(
          [=](int64_t position, int64_t top, int64_t bottom, int64_t left, int64_t right) {
            int64_t place = top * width + left;
            float best = from[place];
            for (int64_t r = top; r < bottom; ++r) {
              for (int64_t at = r * width + left; at < r * width + right; ++at) {
                if (!wins(from[at], best)) continue;
                best = from[at];
                place = at;
              }
            }
            to[position] = best;
            places[position] = static_cast<int32_t>(place);
          });
    });
  };
}

namespace {

// Writes dx of 2×2 windows side by side: gradients(row, i) gives the gradients of the upper and the
// lower pairs of windows i, i + 1 …; what is in no window gets 0.
template <int W, class Gradients>
void spreadHalving(const Windows& w, float* dx, Gradients gradients) {
  const int64_t n = w.outWidth(), rows = w.outHeight(), width = w.width;
  for (int64_t row = 0; row < rows; ++row) {
    float* const upper = dx + 2 * row * width;
    float* const lower = upper + width;
    forPieces<W>(n, [=](int64_t i) {
      const auto both = gradients(row, i);
      both.first.store(upper + 2 * i);
      both.second.store(lower + 2 * i);
    });
    if (width % 2) upper[width - 1] = lower[width - 1] = 0;
  }
  std::fill(dx + 2 * rows * width, dx + w.height * width, 0.0f);
}

// Every element is in one window at most: it takes the gradient where the index says so.
void maxHalvingGrad(const Windows& w, const float* dy, const int32_t* index, float* dx) {
  const int64_t n = w.outWidth(), width = w.width;
  withWidth(n, [=](auto lanes) {
    constexpr int W = decltype(lanes)::value;
    using P = Pairs<W>;
    spreadHalving<W>(w, dx, [=](int64_t row, int64_t i) {
      const int64_t at = 2 * (row * width + i);
      const auto d = Lane<W>::load(dy + row * n + i);
      const auto place = Lane<W>::load(index + row * n + i);
      const auto taken = [=](int64_t where) {
        return place == P::places(where) ? d : typename Lane<W>::F{};
      };
      return std::pair<P, P>{{taken(at), taken(at + 1)},
                             {taken(at + width), taken(at + width + 1)}};
    });
  });
}

}  // namespace

Run op_maxPool2dGrad(Instruction& in) {
  const Operand dy = in.inputs.at(0), index = in.inputs.at(1), dx = in.outputs.at(0);
  const Pool pool(in, dx);
  const int64_t positions = pool.windows.positions();
  return [=](const Step& step) {
    pool.forPlanes(step.pool, [&](int64_t p) {
      const float* from = dy.f32(step) + p * positions;
      const int32_t* places = index.i32(step) + p * positions;
      float* to = dx.f32(step) + p * pool.plane();
      if (pool.isHalving()) return maxHalvingGrad(pool.windows, from, places, to);
      std::fill(to, to + pool.plane(), 0.0f);
      for (int64_t i = 0; i < positions; ++i)
        if (places[i] >= 0 && places[i] < pool.plane()) to[places[i]] += from[i];
    });
  };
}

namespace {

void averageHalving(const Windows& w, const float* x, float* y) {
  const int64_t n = w.outWidth(), rows = w.outHeight(), width = w.width;
  withWidth(n, [=](auto lanes) {
    using P = Pairs<decltype(lanes)::value>;
    for (int64_t row = 0; row < rows; ++row) {
      forPieces<decltype(lanes)::value>(n, [=](int64_t i) {
        const float* const from = x + 2 * (row * width + i);
        const P upper = P::load(from), lower = P::load(from + width);
        const auto mean = (upper.even + upper.odd + lower.even + lower.odd) * 0.25f;
        std::memcpy(y + row * n + i, &mean, sizeof mean);
      });
    }
  });
}

}  // namespace

Run op_avgPool2d(Instruction& in) {
  const Operand x = in.inputs.at(0), y = in.outputs.at(0);
  const Pool pool(in, x);
  const int64_t positions = pool.windows.positions(), width = pool.windows.width;
  const float scale = 1.0f / static_cast<float>(pool.windows.taps());
  return [=](const Step& step) {
    pool.forPlanes(step.pool, [&](int64_t p) {
      const float* from = x.f32(step) + p * pool.plane();
      float* to = y.f32(step) + p * positions;
      if (pool.isHalving()) return averageHalving(pool.windows, from, to);
      pool.forWindows(
          [=](int64_t position, int64_t top, int64_t bottom, int64_t left, int64_t right) {
            float sum = 0;
            for (int64_t r = top; r < bottom; ++r)
              for (int64_t at = r * width + left; at < r * width + right; ++at) sum += from[at];
            to[position] = sum * scale;
          });
    });
  };
}

namespace {

void averageHalvingGrad(const Windows& w, const float* dy, float* dx) {
  const int64_t n = w.outWidth();
  withWidth(n, [=](auto lanes) {
    constexpr int W = decltype(lanes)::value;
    spreadHalving<W>(w, dx, [=](int64_t row, int64_t i) {
      const auto d = Lane<W>::load(dy + row * n + i) * 0.25f;
      return std::pair<Pairs<W>, Pairs<W>>{{d, d}, {d, d}};
    });
  });
}

}  // namespace

Run op_avgPool2dGrad(Instruction& in) {
  const Operand dy = in.inputs.at(0), dx = in.outputs.at(0);
  const Pool pool(in, dx);
  const int64_t positions = pool.windows.positions(), width = pool.windows.width;
  const float scale = 1.0f / static_cast<float>(pool.windows.taps());
  return [=](const Step& step) {
    pool.forPlanes(step.pool, [&](int64_t p) {
      const float* from = dy.f32(step) + p * positions;
      float* to = dx.f32(step) + p * pool.plane();
      if (pool.isHalving()) return averageHalvingGrad(pool.windows, from, to);
      std::fill(to, to + pool.plane(), 0.0f);
      pool.forWindows(
          [=](int64_t position, int64_t top, int64_t bottom, int64_t left, int64_t right) {
            const float d = from[position] * scale;
            for (int64_t r = top; r < bottom; ++r)
              for (int64_t at = r * width + left; at < r * width + right; ++at) to[at] += d;
          });
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
