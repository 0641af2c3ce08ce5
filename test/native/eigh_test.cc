// Divide and conquer on matrices made to break it, just below and above every size where it changes
// its way: orthogonality and residual by plain products, roots of the secular equation in long
// double. Compile with -DFLATMIN_ISA=... together with the files of native/cpu that it includes.
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <vector>

#include "cpu/base/simd.h"
#include "cpu/eigen/eigh.h"
#include "cpu/eigen/secular.h"
#include "cpu/linalg/inverse_root.h"

using namespace flatmin;
using namespace flatmin::FLATMIN_ISA;

namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

int passed = 0, failed = 0;

void expect(bool ok, const char* what, double n, double got) {
  ok ? ++passed : ++failed;
  if (!ok) std::printf("FAILED %s, case %g: %g\n", what, n, got);
}

// Symmetric, from its lower triangle.
Floats symmetric(int n, const std::function<double(int, int)>& entry) {
  Floats a(n * n);
  for (int r = 0; r < n; ++r)
    for (int c = 0; c <= r; ++c) a[r * n + c] = a[c * n + r] = static_cast<float>(entry(r, c));
  return a;
}

Floats tridiagonal(int n, const std::function<double(int)>& diagonal,
                   const std::function<double(int)>& beside) {
  return symmetric(n, [&](int r, int c) {
    return r == c ? diagonal(r) : r == c + 1 ? beside(c) : 0.0;
  });
}

double noise(int i) {
  const double x = std::sin(12.9898 * (i + 1)) * 43758.5453;
  return 2 * (x - std::floor(x)) - 1;
}

// Q diag(values) Q^T for the reflection Q of a fixed vector.
Floats withSpectrum(int n, const std::function<double(int)>& value) {
  Doubles v(n), scaled(n);
  double square = 0, weighted = 0;
  for (int i = 0; i < n; ++i) v[i] = noise(i) + 0.3, square += v[i] * v[i];
  for (int i = 0; i < n; ++i) scaled[i] = value(i) * v[i], weighted += scaled[i] * v[i];
  return symmetric(n, [&](int r, int c) {
    return (r == c ? value(r) : 0.0) - 2 * (scaled[r] * v[c] + v[r] * scaled[c]) / square +
           4 * weighted * v[r] * v[c] / (square * square);
  });
}

struct Problem {
  const char* name;
  std::function<Floats(int)> make;
};

const Problem kProblems[] = {
    {"zero", [](int n) { return Floats(n * n); }},
    {"identity",
     [](int n) { return tridiagonal(n, [](int) { return 1; }, [](int) { return 0; }); }},
    {"ones", [](int n) { return Floats(n * n, 1.0f); }},
    {"rank one and a little of the identity",
     [](int n) {
       return symmetric(n, [](int r, int c) { return noise(r) * noise(c) + (r == c ? 1e-4 : 0); });
     }},
    {"second difference",
     [](int n) { return tridiagonal(n, [](int) { return 2; }, [](int) { return -1; }); }},
    {"glued Wilkinson matrices",
     [](int n) {
       return tridiagonal(
           n, [](int i) { return std::abs(i % 21 - 10); },
           [](int i) { return i % 21 == 20 ? 1e-4 : 1.0; });
     }},
    {"blocks apart",
     [](int n) {
       return tridiagonal(
           n, [](int i) { return i % 5; }, [](int i) { return i % 16 == 15 ? 0 : -1; });
     }},
    {"equal blocks, barely joined",
     [](int n) {
       return tridiagonal(
           n, [](int i) { return 1 + i % 8; }, [](int i) { return i % 8 == 7 ? 1e-18 : 0.5; });
     }},
    {"noise", [](int n) { return symmetric(n, [](int r, int c) { return noise(331 * r + c); }); }},
    {"tridiagonal noise",
     [](int n) {
       return tridiagonal(
           n, [](int i) { return noise(2 * i); }, [](int i) { return noise(2 * i + 1); });
     }},
    {"diagonal", [](int n) { return tridiagonal(n, noise, [](int) { return 0; }); }},
    {"graded",
     [](int n) {
       return symmetric(n, [](int r, int c) { return std::pow(10.0, -0.15 * (r + c)); });
     }},
    {"graded upwards",
     [](int n) {
       return symmetric(n, [n](int r, int c) { return std::pow(10.0, 0.15 * (r + c - 2 * n)); });
     }},
    {"tiny entries",
     [](int n) {
       return tridiagonal(
           n, [](int i) { return i % 3 == 0 ? 1 : 1e-30; }, [](int i) { return 1e-15 * noise(i); });
     }},
    {"condition 1e10",
     [](int n) { return withSpectrum(n, [n](int i) { return std::pow(1e-10, i / (n - 0.5)); }); }},
    {"three clusters",
     [](int n) { return withSpectrum(n, [](int i) { return i % 3 + 1e-7 * noise(i); }); }},
    {"half of full rank",
     [](int n) { return withSpectrum(n, [](int i) { return i % 2 == 0 ? 0 : 1 + noise(i); }); }},
};

const int kSizes[] = {1, 2, 3, 16, 17, 47, 48, 49, 50, 64, 65, 80, 81, 95, 96, 97, 98, 130, 193};

struct Eigen {
  bool good;
  Doubles values, vectors;
};

Eigen solve(const Floats& a, int n, int threads) {
  std::vector<char> scratch(eighScratchBytes(n));
  ThreadPool pool(threads);
  Eigen result = {false, Doubles(n), Doubles(n * n)};
  result.good = eigh(wholeMatrix(a.data(), n), result.values.data(), result.vectors.data(),
                     scratch.data(), pool) == MatrixStatus::ok;
  return result;
}

double norm(const Floats& a, int n) {
  double largest = 0;
  for (int r = 0; r < n; ++r) {
    double sum = 0;
    for (int c = 0; c < n; ++c) sum += std::fabs(a[r * n + c]);
    largest = std::max(largest, sum);
  }
  return largest;
}

// max|V V^T - I| and max|V A - diag(values) V|, vectors in rows.
void checkVectors(const Floats& a, const Eigen& eigen, int n, const char* name) {
  double skew = 0, residual = 0;
  for (int i = 0; i < n; ++i) {
    Doubles image(n), angles(n);
    const double* v = &eigen.vectors[i * n];
    for (int k = 0; k < n; ++k)
      for (int c = 0; c < n; ++c) image[c] += v[k] * a[k * n + c];
    for (int c = 0; c < n; ++c)
      residual = std::max(residual, std::fabs(image[c] - eigen.values[i] * v[c]));
    for (int j = 0; j <= i; ++j) {
      double sum = i == j ? -1 : 0;
      for (int c = 0; c < n; ++c) sum += v[c] * eigen.vectors[j * n + c];
      skew = std::max(skew, std::fabs(sum));
    }
  }
  const double limit = 4 * std::max(n, 4) * DBL_EPSILON;
  expect(skew <= limit, name, n, skew / limit);
  expect(residual <= limit * norm(a, n), name, n, residual / (limit * norm(a, n)));
  expect(std::is_sorted(eigen.values.begin(), eigen.values.end()), name, n, 0);
}

void testEigh() {
  for (const Problem& problem : kProblems)
    for (const int n : kSizes) {
      const Floats a = problem.make(n);
      const Eigen eigen = solve(a, n, 1);
      expect(eigen.good, problem.name, n, 0);
      checkVectors(a, eigen, n, problem.name);
      if (n < 49) continue;
      const Eigen together = solve(a, n, 3);
      expect(eigen.values == together.values && eigen.vectors == together.vectors,
             "three threads, to the bit", n, 0);
    }
}

// Rows that stand apart, and an order large enough for threads to share the reduction.
void testLarge() {
  for (const int n : {256, 515}) {
    const Floats a = symmetric(n, [](int r, int c) { return noise(331 * r + c); });
    const Eigen eigen = solve(a, n, 1), together = solve(a, n, 3);
    checkVectors(a, eigen, n, "noise");
    expect(eigen.values == together.values && eigen.vectors == together.vectors,
           "three threads, to the bit", n, 0);
  }
}

// The roots interlace with d, and are where f changes its sign: f in long double one part in 1e12
// of the offset before and after.
void checkSecular(Doubles d, Doubles w, const char* name) {
  const int64_t count = static_cast<int64_t>(d.size());
  double total = 0;
  for (const double x : w) total += x;
  Doubles origins(count + kLanesF64), offsets(count + kLanesF64);
  const auto f = [&](double origin, long double offset) {
    long double sum = 1;
    for (int64_t i = 0; i < count; ++i)
      sum += w[i] / ((static_cast<long double>(d[i]) - origin) - offset);
    return sum;
  };
  for (int64_t j = 0; j < count; ++j) {
    if (j % kLanesF64 == 0)
      expect(secularRoots(d.data(), w.data(), count, j, &origins[j], &offsets[j]), name,
             static_cast<double>(j), 0);
    const double origin = origins[j];
    const long double x = offsets[j];
    expect(x > static_cast<long double>(d[j]) - origin, name, static_cast<double>(j), offsets[j]);
    expect(j + 1 == count ? x <= total * (1 + 1e-12L)
                          : x < static_cast<long double>(d[j + 1]) - origin,
           name, static_cast<double>(j), offsets[j]);
    const long double step = 1e-12L * std::fabs(x);
    expect(f(origin, x - step) <= 0 && f(origin, x + step) >= 0, name, static_cast<double>(j),
           offsets[j]);
  }
}

void testSecular() {
  checkSecular({0.5}, {0.25}, "secular equation of one pole");
  checkSecular({-1, 1}, {0.5, 0.5}, "secular equation of two poles");
  checkSecular({0, 1e-12, 1}, {0.3, 0.4, 0.3}, "secular equation, two poles near each other");
  checkSecular({0, 1, 2, 3}, {1e-28, 1, 1e-28, 1}, "secular equation, small weights");
  checkSecular({0, 1, 2, 3}, {1, 1e-28, 1, 1e-28}, "secular equation, a small last weight");
  checkSecular({1e-20, 1e-10, 1, 1e3}, {1e-10, 1e-5, 1, 1e3}, "secular equation, graded");
  for (const int count : {5, 8, 9, 40}) {
    Doubles d(count), w(count);
    for (int i = 0; i < count; ++i) d[i] = i + 0.4 * noise(i), w[i] = std::pow(noise(3 * i), 2);
    checkSecular(d, w, "secular equation, noise");
  }
  const Doubles d = {0, 1}, w = {std::numeric_limits<double>::quiet_NaN(), 1};
  Doubles origins(kLanesF64), offsets(kLanesF64);
  expect(!secularRoots(d.data(), w.data(), 2, 0, origins.data(), offsets.data()),
         "a secular equation without root", 2, 0);
}

// The verdict on a root is the same from random directions as from the powers, and what they show
// of |A X^p - I|_F is no less than a third of max|A X^p - I|.
void testSampled() {
  for (const int n : {31, 32, 33, 130})
    for (const double condition : {1e2, 1e6, 1e10, 1e14, 1e16})
      for (const double p : {1.0, 2.0, 4.0, 6.0, 8.0, 9.0, 1.5}) {
        RootOptions exact;
        exact.p = p, exact.ridge = 1 / condition;
        RootOptions sampled = exact;
        sampled.sampled = true;
        const Floats a = withSpectrum(n, [&](int i) { return i % 2 == 0 ? 1.0 / (i + 1) : 0.0; });
        Floats one(n * n), other(n * n);
        std::vector<char> scratch(inverseRootScratchBytes(n, exact));
        ThreadPool pool(2);
        const RootResult first =
            inverseRoot(wholeMatrix(a.data(), n), exact, one.data(), scratch.data(), pool);
        const RootResult second =
            inverseRoot(wholeMatrix(a.data(), n), sampled, other.data(), scratch.data(), pool);
        expect(first.status == second.status, "verdict from random directions", p, condition);
        expect(one == other, "root judged by random directions", p, condition);
        expect(second.residual >= first.residual / 3, "residual in random directions",
               first.residual, second.residual);
        const bool judged = n >= 32 && p <= 8 && p != 1.5 && condition <= 1e6;
        expect((first.residual == second.residual) == !judged || !(condition <= 1e6),
               "residual in random directions, where it is", p, second.residual);
      }
}

}  // namespace

int main() {
  testEigh();
  testLarge();
  testSecular();
  testSampled();
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
