#include "cpu/eigen/tridiagonal_ql.h"

#include <cfloat>
#include <cmath>

#include "cpu/eigen/panels.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

constexpr int64_t kMaxQlIterations = 30;  // for each eigenvalue, all of them together
constexpr double kNegligibleSquare = 1e-200;

struct Rotation {
  double cosine, sine;
};

// Turns rows i and i + 1, i = high - 1 down to low.
void rotate(const Rotation* rotation, int64_t low, int64_t high, int64_t n, double* rows,
            int64_t size) {
  constexpr int W = kPanel<double>;
  for (int64_t panel = 0; panel * W < n; ++panel) {
    double* row = rows + (panel * size + high) * W;
    vd x0 = load(row), x1 = load(row + kLanesF64);
    for (int64_t i = high; i-- > low; row -= W) {
      const auto [cosine, sine] = rotation[i];
      const vd z0 = load(row - W), z1 = load(row - W + kLanesF64);
      store(row, cosine * x0 + sine * z0);
      store(row + kLanesF64, cosine * x1 + sine * z1);
      x0 = cosine * z0 - sine * x0;
      x1 = cosine * z1 - sine * x1;
    }
    store(row, x0), store(row + kLanesF64, x1);
  }
}

}  // namespace

bool implicitQl(double* d, double* e, int64_t n, double* rows, int64_t size) {
  Rotation rotations[kMaxQl];
  double norm = 0;
  for (int64_t i = 0; i < n; ++i)
    norm = std::fmax(norm, std::fabs(d[i]) + (i + 1 < n ? std::fabs(e[i]) : 0));
  const double floor = DBL_EPSILON * DBL_EPSILON * norm;
  int64_t iterations = 0;
  for (int64_t l = 0; l < n; ++l) {
    for (;;) {
      int64_t m = l;
      while (m + 1 < n &&
             std::fabs(e[m]) > DBL_EPSILON * (std::fabs(d[m]) + std::fabs(d[m + 1])) + floor)
        ++m;
      if (m == l) break;
      if (iterations++ == kMaxQlIterations * n) return false;
      double g = (d[l + 1] - d[l]) / (2 * e[l]);
      g = d[m] - d[l] + e[l] / (g + std::copysign(std::sqrt(g * g + 1), g));
      double s = 1, c = 1, p = 0;
      int64_t i = m;
      while (i > l) {
        const double f = s * e[i - 1], b = c * e[i - 1];
        const double square = f * f + g * g;
        double r = square > kNegligibleSquare ? std::sqrt(square) : std::hypot(f, g);
        if (r < 1e-290) r = 0;  // its inverse would overflow
        e[i] = r;
        if (r == 0) break;
        --i;
        const double inverse = 1 / r;
        s = f * inverse, c = g * inverse;
        g = d[i + 1] - p;
        r = (d[i] - g) * s + 2 * c * b;
        p = s * r;
        d[i + 1] = g + p;
        g = c * r - b;
        rotations[i] = {c, s};
      }
      if (i < m) rotate(rotations, i, m, n, rows, size);
      d[i] -= p;
      if (i == l) e[l] = g;
      e[m] = 0;
    }
  }
  return true;
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
