// A root in every lane. Every step fits a pole at either end of the interval, c + s / (d_left - x)
// + t / (d_right - x), to the values and slopes of the sums over the poles at and left of the root,
// and at and right of it; where that leaves the bracket, it is halved.
#include "cpu/eigen/secular.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "cpu/base/simd.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

constexpr int kMaxSecularIterations = 100;  // three or four are usual
// Of the distance to the nearest pole: a step as small as this leaves an error of its square.
constexpr double kLastStep = 4e-9;

vd splat(double x) { return x - vd{}; }
vd absolute(vd x) { return x < 0.0 ? -x : x; }
vd lesserOf(vd a, vd b) { return a < b ? a : b; }

vd squareRoot(vd x) {
  double lanes[kLanesF64];
  store(lanes, x);
  for (double& lane : lanes) lane = std::sqrt(lane);
  return load(lanes);
}

template <class Mask>
bool all(Mask mask) {
  bool every = true;
  for (int lane = 0; lane < kLanesF64; ++lane) every &= mask[lane] != 0;
  return every;
}

// Of the poles up to `left` and of those from the next on, at origin + offset.
struct Sums {
  vd below, belowSlope, above, aboveSlope;
};

struct Poles {
  const double *d, *w;
  int64_t count, firstLeft, lastLeft;
  vd left;

  Sums sumsAt(vd origin, vd offset) const {
    Sums sums = {};
    const auto distance = [&](int64_t i) { return (d[i] - origin) - offset; };
    const auto add = [&](int64_t i, vd inverse, vd* sum, vd* slope) {
      const vd term = w[i] * inverse;
      *sum += term, *slope += term * inverse;
    };
    const auto addAll = [&](int64_t i, int64_t end, vd* sum, vd* slope) {
      for (; i + 1 < end; i += 2) {  // a division for two
        const vd x = distance(i), y = distance(i + 1), inverse = 1.0 / (x * y);
        add(i, y * inverse, sum, slope), add(i + 1, x * inverse, sum, slope);
      }
      if (i < end) add(i, 1.0 / distance(i), sum, slope);
    };
    addAll(0, firstLeft + 1, &sums.below, &sums.belowSlope);
    for (int64_t i = firstLeft + 1; i <= lastLeft; ++i) {
      const auto isBelow = left >= static_cast<double>(i);
      const vd zero = {};
      vd term = {}, slope = {};
      add(i, 1.0 / distance(i), &term, &slope);
      sums.below += isBelow ? term : zero, sums.belowSlope += isBelow ? slope : zero;
      sums.above += isBelow ? zero : term, sums.aboveSlope += isBelow ? zero : slope;
    }
    addAll(lastLeft + 1, count, &sums.above, &sums.aboveSlope);
    return sums;
  }
};

// Of c x^2 - a x + b the root (a - r) / 2c, r the root of a^2 - 4bc; where `other`, (a + r) / 2c.
template <class Mask>
vd quadratic(vd a, vd b, vd c, Mask other) {
  const vd square = a * a - 4 * b * c;
  const vd root = squareRoot(square > 0.0 ? square : vd{});
  const vd r = other ? -root : root, way = other ? -a : a;
  return (way > 0.0 ? 2 * b : a - r) / (way > 0.0 ? a + r : 2 * c);
}

}  // namespace

bool secularRoots(const double* d, const double* w, int64_t count, int64_t j, double* origins,
                  double* offsets) {
  if (count == 1) {
    store(origins, splat(d[0])), store(offsets, splat(w[0]));
    return true;
  }
  double total = 0;
  for (int64_t i = 0; i < count; ++i) total += w[i];
  Poles poles = {d, w, count, std::min(j, count - 2), std::min(j + kLanesF64 - 1, count - 2), {}};
  vd dLeft, dRight, wLeft, wRight, number;
  for (int lane = 0; lane < kLanesF64; ++lane) {
    const int64_t left = std::min(j + lane, count - 2);
    poles.left[lane] = static_cast<double>(left);
    number[lane] = static_cast<double>(j + lane);
    dLeft[lane] = d[left], dRight[lane] = d[left + 1];
    wLeft[lane] = w[left], wRight[lane] = w[left + 1];
  }
  const auto last = number > poles.left;
  const vd half = 0.5 * (dRight - dLeft), zero = {};

  // The side of the middle decides on the origin; a first guess by these two poles alone.
  const Sums middle = poles.sumsAt(dLeft, half);
  const vd f = 1 + middle.below + middle.above;
  const vd rest = f + (wLeft - wRight) / half;
  const auto nearLeft = (f >= 0.0) & ~last;
  const vd origin = nearLeft ? dLeft : dRight;
  const vd bend = 2 * half * rest;
  vd x = quadratic(wLeft + wRight + (nearLeft ? bend : -bend),
                   2 * half * (nearLeft ? wLeft : -wRight), rest, last & ~last);
  const vd end = splat(total * (1 + DBL_EPSILON * static_cast<double>(count)));
  vd low = nearLeft | last ? zero : -half, high = nearLeft ? half : last ? end : zero;
  x = last ? 0.5 * end : x;

  auto done = last & ~last;
  vd offset = {};
  for (int iteration = 0; iteration < kMaxSecularIterations; ++iteration) {
    x = (x > low) & (x < high) ? x : low + 0.5 * (high - low);
    const Sums sums = poles.sumsAt(origin, x);
    const vd value = 1 + sums.below + sums.above, slope = sums.belowSlope + sums.aboveSlope;
    if (!all(value == value)) return false;
    offset = done ? offset : x;
    const vd size = 1 + absolute(sums.below) + absolute(sums.above);
    done |= absolute(value) <= DBL_EPSILON * (8 * size + absolute(x) * slope);
    low = value < 0.0 ? x : low;
    high = value < 0.0 ? high : x;
    done |= high - low <= 2 * DBL_EPSILON * (-low > high ? -low : high);

    const vd toLeft = (dLeft - origin) - x, toRight = (dRight - origin) - x;
    const vd c = value - sums.belowSlope * toLeft - sums.aboveSlope * toRight;
    const vd a = (toLeft + toRight) * value - toLeft * toRight * slope;
    const vd step = quadratic(a, toLeft * toRight * value, c, last);
    x = last & (c <= 0.0) ? high : x + step;  // no such root there: the bracket is halved
    const auto small =
        (absolute(step) <= kLastStep * lesserOf(absolute(toLeft), absolute(toRight))) & (x > low) &
        (x < high) & ~done;
    offset = small ? x : offset;
    done |= small;
    if (all(done)) {
      store(origins, origin), store(offsets, offset);
      return true;
    }
  }
  return false;
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
