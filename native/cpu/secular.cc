// Every step fits a pole at either end of the interval, c + s / (d_left - x) + t / (d_right - x),
// to the values and slopes of the sums over the poles at and left of the root, and at and right of
// it; where that leaves the bracket, it is halved.
#include "secular.h"

#include <cfloat>
#include <cmath>

#include "dot.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

constexpr int kMaxIterations = 100;  // four or five are usual

// Of the poles below and from `split` on, at x = origin + offset.
struct Sums {
  double below, belowSlope, above, aboveSlope;
};

Sums sumsAt(const double* d, const double* w, int64_t count, int64_t split, double origin,
            double offset) {
  vd below = {}, belowSlope = {}, above = {}, aboveSlope = {};
  const auto add = [&](int64_t i, vd* sum, vd* slope) {
    const vd inverse = 1.0 / ((load(d + i) - origin) - offset);
    const vd term = load(w + i) * inverse;
    *sum += term;
    *slope += term * inverse;
  };
  const int64_t whole = split / kLanesF64 * kLanesF64;
  int64_t i = 0;
  for (; i < whole; i += kLanesF64) add(i, &below, &belowSlope);
  Sums sums = {};
  if (whole < split) {
    vd term = {}, slope = {};
    add(i, &term, &slope);
    for (int lane = 0; lane < kLanesF64; ++lane) {
      const bool isBelow = i + lane < split;
      (isBelow ? sums.below : sums.above) += term[lane];
      (isBelow ? sums.belowSlope : sums.aboveSlope) += slope[lane];
    }
    i += kLanesF64;
  }
  for (; i < count; i += kLanesF64) add(i, &above, &aboveSlope);
  sums.below += sumLanes(below), sums.belowSlope += sumLanes(belowSlope);
  sums.above += sumLanes(above), sums.aboveSlope += sumLanes(aboveSlope);
  return sums;
}

// The roots (a - r) / 2c and (a + r) / 2c of c x^2 - a x + b, r the root of a^2 - 4bc.
double lesser(double a, double b, double c) {
  const double r = std::sqrt(std::fmax(a * a - 4 * b * c, 0));
  return a > 0 ? 2 * b / (a + r) : (a - r) / (2 * c);
}
double greater(double a, double b, double c) {
  const double r = std::sqrt(std::fmax(a * a - 4 * b * c, 0));
  return a < 0 ? 2 * b / (a - r) : (a + r) / (2 * c);
}

}  // namespace

bool secularRoot(const double* d, const double* w, int64_t count, int64_t j, SecularRoot* root) {
  if (count == 1) {
    *root = {0, w[0]};
    return true;
  }
  const bool last = j + 1 == count;
  const int64_t left = last ? j - 1 : j, right = left + 1;
  double low = 0, high = 0, x = 0;
  root->origin = right;
  if (last) {
    for (int64_t i = 0; i < count; ++i) high += w[i];
    high *= 1 + DBL_EPSILON * static_cast<double>(count);
    x = 0.5 * high;
  } else {
    const double gap = d[right] - d[left];
    const Sums middle = sumsAt(d, w, count, right, d[left], 0.5 * gap);
    const double f = 1 + middle.below + middle.above;
    const double rest = f + 2 * (w[left] - w[right]) / gap;  // f without these two poles
    if (f >= 0) {
      root->origin = left;
      high = 0.5 * gap;
      x = lesser(rest * gap + w[left] + w[right], w[left] * gap, rest);
    } else {
      low = -0.5 * gap;
      x = lesser(w[left] + w[right] - rest * gap, -w[right] * gap, rest);
    }
  }
  const double origin = d[root->origin];
  for (int iteration = 0; iteration < kMaxIterations; ++iteration) {
    if (!(x > low && x < high)) x = low + 0.5 * (high - low);
    root->offset = x;
    const Sums sums = sumsAt(d, w, count, right, origin, x);
    const double f = 1 + sums.below + sums.above, slope = sums.belowSlope + sums.aboveSlope;
    if (std::isnan(f)) return false;
    const double size = 1 + std::fabs(sums.below) + std::fabs(sums.above);
    if (std::fabs(f) <= DBL_EPSILON * (8 * size + std::fabs(x) * slope)) return true;
    (f < 0 ? low : high) = x;
    if (high - low <= 2 * DBL_EPSILON * std::fmax(std::fabs(low), std::fabs(high))) return true;
    const double toLeft = (d[left] - origin) - x, toRight = (d[right] - origin) - x;
    const double c = f - sums.belowSlope * toLeft - sums.aboveSlope * toRight;
    const double a = (toLeft + toRight) * f - toLeft * toRight * slope, b = toLeft * toRight * f;
    if (last && c <= 0)
      x = high;  // no such root: the bracket is halved
    else
      x += last ? greater(a, b, c) : lesser(a, b, c);
  }
  return false;
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
