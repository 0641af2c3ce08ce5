// Eigendecomposition, inverse roots and Cholesky inverse against closed forms and plain float64
// products. Compile with -DFLATMIN_ISA=... together with the files of native/cpu that it includes.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>
#include <vector>

#include "cpu/eigen/eigh.h"
#include "cpu/eigen/warm_eigh.h"
#include "cpu/linalg/cholesky.h"
#include "cpu/linalg/inverse_root.h"
#include "cpu/linalg/qr.h"

using namespace flatmin;
using namespace flatmin::FLATMIN_ISA;

namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

const double kPi = std::acos(-1.0);
const float kNan = std::numeric_limits<float>::quiet_NaN();
const float kInfinity = std::numeric_limits<float>::infinity();
const int kSizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100};

int passed = 0, failed = 0;

void expect(bool ok, const char* what, double n, double got) {
  ok ? ++passed : ++failed;
  if (!ok) std::printf("FAILED %s, case %g: %g\n", what, n, got);
}
void expectBelow(double got, double limit, const char* what, double n) {
  expect(got < limit, what, n, got);
}

Doubles product(const Doubles& a, const Doubles& b, int n) {
  Doubles out(n * n);
  for (int r = 0; r < n; ++r)
    for (int k = 0; k < n; ++k)
      for (int c = 0; c < n; ++c) out[r * n + c] += a[r * n + k] * b[k * n + c];
  return out;
}

Doubles transposed(const Doubles& a, int n) {
  Doubles out(n * n);
  for (int i = 0; i < n * n; ++i) out[i % n * n + i / n] = a[i];
  return out;
}

Doubles diagonal(const Doubles& values) {
  const int n = static_cast<int>(values.size());
  Doubles out(n * n);
  for (int i = 0; i < n; ++i) out[i * n + i] = values[i];
  return out;
}

Doubles identity(int n) { return diagonal(Doubles(n, 1.0)); }

double maxDifference(const Doubles& a, const Doubles& b) {
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = std::fabs(a[i] - b[i]);
    if (std::isnan(difference)) return difference;
    if (difference > largest) largest = difference;
  }
  return largest;
}

Doubles doubles(const Floats& a) { return Doubles(a.begin(), a.end()); }
Floats floats(const Doubles& a) { return Floats(a.begin(), a.end()); }

bool isSymmetric(const Floats& a, int n) { return transposed(doubles(a), n) == doubles(a); }

// Q diag(values) Q^T for a fixed orthogonal Q, a product of two reflections.
Floats withSpectrum(const Doubles& values) {
  const int n = static_cast<int>(values.size());
  Doubles q = identity(n);
  for (int turn = 1; turn <= 2; ++turn) {
    Doubles v(n), h = identity(n);
    double square = 0;
    for (int i = 0; i < n; ++i) v[i] = std::sin(turn * (i + 1)) + 0.1, square += v[i] * v[i];
    for (int i = 0; i < n * n; ++i) h[i] -= 2 * v[i / n] * v[i % n] / square;
    q = product(q, h, n);
  }
  return floats(product(product(q, diagonal(values), n), transposed(q, n), n));
}

Doubles logSpectrum(int n, double condition) {
  Doubles values(n);
  for (int i = 0; i < n; ++i) values[i] = std::pow(condition, -static_cast<double>(i) / (n - 1));
  return values;
}

// [-1, 2, -1]: value k is 2 - 2 cos(k pi / (n + 1)), vector k is sin(j k pi / (n + 1)).
Floats secondDifference(int n) {
  Floats a(n * n);
  for (int r = 0; r < n; ++r)
    for (int c = 0; c < n; ++c) a[r * n + c] = r == c ? 2.0f : std::abs(r - c) == 1 ? -1.0f : 0.0f;
  return a;
}
template <class F>
Doubles ofSecondDifference(int n, F f) {
  Doubles out(n * n);
  for (int k = 1; k <= n; ++k) {
    const double value = 2.0 / (n + 1) * f(2 - 2 * std::cos(k * kPi / (n + 1)));
    for (int i = 0; i < n * n; ++i)
      out[i] += value * std::sin((i / n + 1) * k * kPi / (n + 1)) *
                std::sin((i % n + 1) * k * kPi / (n + 1));
  }
  return out;
}

Floats hilbert(int n) {
  Floats a(n * n);
  for (int i = 0; i < n * n; ++i) a[i] = 1.0f / static_cast<float>(i / n + i % n + 1);
  return a;
}

Doubles lowerAsSymmetric(const Floats& a, int n) {
  Doubles out(n * n);
  for (int r = 0; r < n; ++r)
    for (int c = 0; c <= r; ++c) out[r * n + c] = out[c * n + r] = a[r * n + c];
  return out;
}

// Exactly as much memory as was asked for, so that the sanitizer sees every overrun.
struct Memory : std::vector<char> {
  explicit Memory(size_t bytes) : std::vector<char>(bytes) {}
};

bool runEigh(const Floats& a, int n, Doubles* values, Doubles* vectors) {
  Memory scratch(eighScratchBytes(n));
  ThreadPool pool(1);
  values->assign(n, 0), vectors->assign(n * n, 0);
  return eigh(wholeMatrix(a.data(), n), values->data(), vectors->data(), scratch.data(), pool) ==
         MatrixStatus::ok;
}

RootResult runRoot(const Floats& a, int n, const RootOptions& options, Floats* out) {
  Memory scratch(inverseRootScratchBytes(n, options));
  ThreadPool pool(1);
  return inverseRoot(wholeMatrix(a.data(), n), options, out->data(), scratch.data(), pool);
}

MatrixStatus runCholesky(const Floats& a, int n, double damping, Floats* out) {
  Memory scratch(choleskyInverseScratchBytes(n));
  ThreadPool pool(1);
  return choleskyInverse(wholeMatrix(a.data(), n), damping, out->data(), scratch.data(), pool);
}

Doubles checkEigh(const Floats& a, int n, const char* what) {
  Doubles values, vectors;
  expect(runEigh(a, n, &values, &vectors), what, n, 0);
  const Doubles full = lowerAsSymmetric(a, n), columns = transposed(vectors, n);
  double scale = 0;
  for (const double x : full) scale = std::max(scale, std::fabs(x));
  if (scale == 0) scale = 1;
  const double limit = 1e-14 * std::max(4, n);
  expectBelow(
      maxDifference(product(full, columns, n), product(columns, diagonal(values), n)) / scale,
      limit, what, n);
  expectBelow(maxDifference(product(vectors, columns, n), identity(n)), limit, what, n);
  expect(std::is_sorted(values.begin(), values.end()), what, n, 0);
  return values;
}

void testEigh() {
  for (const int n : kSizes) {
    const Doubles values = checkEigh(secondDifference(n), n, "eigh of the second difference");
    double error = 0;
    for (int k = 0; k < n; ++k)
      error = std::max(error, std::fabs(values[k] - (2 - 2 * std::cos((k + 1) * kPi / (n + 1)))));
    expectBelow(error, 1e-14 * n, "its spectrum", n);
    checkEigh(hilbert(n), n, "eigh of Hilbert");
    checkEigh(Floats(n * n, 1.0f), n, "eigh of ones");
    checkEigh(Floats(n * n), n, "eigh of zero");
    checkEigh(floats(diagonal(Doubles(n, -3.0))), n, "eigh of -3 I");
    Floats noise(n * n);
    for (int i = 0; i < n * n; ++i) noise[i] = static_cast<float>(std::sin(1.7 * i * i));
    checkEigh(noise, n, "eigh of a matrix that is not symmetric");
  }
  for (const double condition : {1e2, 1e4, 1e6, 1e8, 1e10}) {
    Doubles spectrum = logSpectrum(40, condition);
    const Doubles values = checkEigh(withSpectrum(spectrum), 40, "eigh by condition");
    std::reverse(spectrum.begin(), spectrum.end());
    expectBelow(maxDifference(values, spectrum), 1e-6, "its spectrum, as rounded to float32",
                condition);
  }
  for (const double scale : {1e-44, 1e-38, 1e-20, 1e20, 1e37}) {
    Doubles values = {4 * scale, 3 * scale, 2 * scale, scale, scale};
    checkEigh(withSpectrum(values), 5, "eigh by scale");
  }
  Floats graded(20 * 20);
  for (int r = 0; r < 20; ++r)
    for (int c = 0; c < 20; ++c)
      graded[r * 20 + c] = static_cast<float>(std::pow(10.0, -1.1 * (r + c)));
  checkEigh(graded, 20, "eigh of a graded matrix");
  std::reverse(graded.begin(), graded.end());
  checkEigh(graded, 20, "eigh of a matrix graded upwards");
  checkEigh(withSpectrum({-3, -3, -3, 0, 0, 1, 1, 1, 5, 5}), 10, "eigh of repeated values");

  Doubles values, vectors;
  expect(runEigh(Floats(), 0, &values, &vectors), "eigh, empty", 0, 0);
  for (const float bad : {kNan, kInfinity, -kInfinity}) {
    Floats a(36, 1.0f);
    a[5] = bad;
    expect(runEigh(a, 6, &values, &vectors), "eigh leaves the upper triangle alone", 6, 0);
    a[30] = bad;
    expect(!runEigh(a, 6, &values, &vectors), "eigh refuses what is not finite", 6, 0);
  }
}

// max|A X^p - I| for integer p, by plain products.
double residualOf(const Floats& a, double shift, const Floats& x, int p, int n) {
  Doubles y = lowerAsSymmetric(a, n);
  for (int i = 0; i < n; ++i) y[i * n + i] += shift;
  for (int i = 0; i < p; ++i) y = product(y, doubles(x), n);
  return maxDifference(y, identity(n));
}

void testRoot(bool newton) {
  RootOptions options;
  options.newton = newton;
  const char* name = newton ? "Newton root" : "root by eigh";
  for (const int n : kSizes) {
    for (const double p : {1.0, 2.0, 4.0, 6.0, 8.0, 1.5, 0.5}) {
      options.p = p, options.ridge = 0, options.epsilon = 0.5;
      Floats out(n * n);
      const RootResult result = runRoot(secondDifference(n), n, options, &out);
      expect(result.status == MatrixStatus::ok, name, n, result.residual);
      expectBelow(result.residual, newton ? 1e-3 : 1e-12, name, n);
      expect(n == 1 || (result.iterations > 0) == (newton && p == std::floor(p)), name, p,
             result.iterations);
      expect(isSymmetric(out, n), name, n, 0);
      const Doubles expected =
          ofSecondDifference(n, [p](double x) { return std::pow(x + 0.5, -1 / p); });
      expectBelow(maxDifference(doubles(out), expected), newton ? 1e-4 : 2e-6, name, p);
    }
  }
  options.p = 4;
  for (const double condition : {1e2, 1e4, 1e6, 1e8, 1e10}) {
    const int n = 40;
    const Floats a = withSpectrum(logSpectrum(n, condition));
    Floats out(n * n);
    options.ridge = 1e-6, options.epsilon = 0;
    expect(runRoot(a, n, options, &out).status == MatrixStatus::ok, name, condition, 0);
    expectBelow(residualOf(a, 1e-6, out, 4, n), 0.15, name, condition);
    // Exact in float32, so that nothing but the root is at fault: 2x2 blocks of eigenvalues 3s and
    // s.
    Floats blocks(n * n);
    for (int i = 0; i < n; i += 2) {
      const float s = static_cast<float>(std::pow(condition, -i / (n - 2.0)));
      blocks[i * n + i] = blocks[(i + 1) * n + i + 1] = 2 * s;
      blocks[i * n + i + 1] = blocks[(i + 1) * n + i] = s;
    }
    options.ridge = 0;
    const RootResult result = runRoot(blocks, n, options, &out);
    expect(result.status == MatrixStatus::ok, name, condition, result.residual);
    expectBelow(residualOf(blocks, 0, out, 4, n), 0.1, name, condition);
  }
  options.ridge = 1e-6;
  for (const int n : {6, 12}) {
    Floats out(n * n);
    expect(runRoot(hilbert(n), n, options, &out).status == MatrixStatus::ok, "root of Hilbert", n,
           0);
    expectBelow(
        residualOf(hilbert(n), 1e-6 * checkEigh(hilbert(n), n, "Hilbert")[n - 1], out, 4, n), 0.15,
        name, n);
  }

  for (const double p : {1.0, 2.0, 3.0, 4.0, 6.0, 8.0}) {
    options.p = p;
    Floats root(64);
    const RootResult result = runRoot(Floats(64, 1.0f), 8, options, &root);
    expect(result.status == MatrixStatus::ok, "root, rank one", p, result.residual);
    const double along = std::pow(8 * (1 + 1e-6), -1 / p), across = std::pow(8e-6, -1 / p);
    expectBelow(std::fabs(root[0] / ((along + 7 * across) / 8) - 1), 0.05, "root, rank one", p);
  }
  options.p = 4;

  const Floats before(64, 7.0f);
  Floats out = before;
  options.ridge = 0;
  RootResult result = runRoot(Floats(64, 1.0f), 8, options, &out);
  expect(result.status == MatrixStatus::residual && result.residual > 0.1, "root, singular", 8,
         result.residual);
  result = runRoot(floats(diagonal({1, 1, 1, 1, 1, 1, 1, -0.5})), 8, options, &out);
  expect(result.status == MatrixStatus::residual, "root, indefinite", 8, result.residual);
  expect(std::isfinite(result.residual), "root, indefinite: no NaN on the way", 8, result.residual);
  expect(result.iterations < 10, "Newton stops when its error grows", 8, result.iterations);
  if (!options.newton) {
    RootOptions lifted = options;
    lifted.ridge = 1e-6;
    Floats root(64);
    result = runRoot(floats(diagonal({1, 1, 1, 1, 1, 1, 0, -5e-5})), 8, lifted, &root);
    expect(result.status == MatrixStatus::ok, "root, rounding below zero", 8, result.residual);
    expectBelow(std::fabs(root[63] / std::pow(1e-6, -0.25) - 1), 1e-4, "root, lifted", 8);
  }
  result = runRoot(Floats(64), 8, options, &out);
  expect(result.status == MatrixStatus::notPositive && std::isinf(result.residual), "root of zero",
         8, result.residual);
  result = runRoot(floats(diagonal(Doubles(8, -1.0))), 8, options, &out);
  expect(result.status == MatrixStatus::notPositive, "root, negative", 8, result.residual);
  for (const float bad : {kNan, kInfinity}) {
    Floats a = floats(identity(8));
    a[60] = bad;
    expect(runRoot(a, 8, options, &out).status == MatrixStatus::notFinite, "root, not finite", 8,
           0);
  }
  options.p = 0.25;
  expect(runRoot(floats(diagonal(Doubles(8, 1e-20))), 8, options, &out).status ==
             MatrixStatus::overflow,
         "root beyond float32", 8, 0);
  expect(out == before, "a root that fails leaves out alone", 8, out[0]);
  expect(runRoot(Floats(), 0, options, &out).status == MatrixStatus::ok, "root, empty", 0, 0);

  options = RootOptions{1, 0.1, 0.5, newton};
  Floats two = {2, kNan, 0, 0};  // the upper triangle is not read
  expect(runRoot(two, 2, options, &two).status == MatrixStatus::ok, "root in place", 2, 0);
  expectBelow(maxDifference(doubles(two), diagonal({1 / 2.75, 1 / 0.75})), 1e-5,
              "epsilon, then ridge", 2);
}

void testThreads() {
  const int n = 150;
  const Floats a = withSpectrum(logSpectrum(n, 1e6));
  ThreadPool one(1), three(3);
  for (const bool newton : {false, true}) {
    RootOptions options;
    options.newton = newton;
    Floats alone(n * n), together(n * n);
    Memory scratch(inverseRootScratchBytes(n, options));
    const RootResult first =
        inverseRoot(wholeMatrix(a.data(), n), options, alone.data(), scratch.data(), one);
    const RootResult second =
        inverseRoot(wholeMatrix(a.data(), n), options, together.data(), scratch.data(), three);
    expect(first.status == MatrixStatus::ok && first.residual == second.residual,
           "root on three threads", n, second.residual);
    expect(alone == together, "root on three threads, to the bit", n, 0);
  }
  Floats alone(n * n), together(n * n);
  Memory scratch(choleskyInverseScratchBytes(n));
  choleskyInverse(wholeMatrix(a.data(), n), 1e-3, alone.data(), scratch.data(), one);
  choleskyInverse(wholeMatrix(a.data(), n), 1e-3, together.data(), scratch.data(), three);
  expect(alone[0] > 0 && alone == together, "inverse on three threads, to the bit", n, 0);
}

// 0.95 A + 0.05 xx^T
Floats moved(const Floats& a, int n, int step) {
  Floats out(n * n);
  const auto x = [=](int i) { return std::sin(static_cast<float>((i + 1) * (step + 2))); };
  for (int i = 0; i < n * n; ++i)
    out[i] = 0.95f * a[i] + 0.05f * std::max(x(i / n), x(i % n)) * std::min(x(i / n), x(i % n));
  return out;
}

// Q of W = R^T Q for `rank` independent rows, a third of them small, and sums of those.
void testQr() {
  ThreadPool one(1), three(3);
  std::minstd_rand random(1);
  std::uniform_real_distribution<double> uniform(-1, 1);
  for (const int n : {1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 64, 65, 100, 130})
    for (const int rank : {n, (2 * n + 2) / 3}) {
      const int64_t stride = qrStride(n);
      Doubles given(n * n), w(qrNumbers(n)), q(qrNumbers(n), 7.0), again(qrNumbers(n), 7.0);
      for (int i = 0; i < n; ++i)
        for (int j = 0; j < n; ++j)
          given[i * n + j] = i < rank
                                 ? (i % 3 == 2 ? 1e-3 : 1) * uniform(random)
                                 : given[(i - rank) * n + j] - 2 * given[(rank - 1) * n + j];
      const auto decompose = [&](Doubles* out, ThreadPool& pool) {
        std::fill(w.begin(), w.end(), 0.0);
        for (int i = 0; i < n; ++i)
          std::copy_n(given.begin() + i * n, n, w.begin() + i * stride);
        Scratch dry(nullptr);
        QrWork::take(n, &dry);
        Memory scratch(dry.bytes());
        Scratch arrays(scratch.data());
        orthonormalRows(w.data(), n, 1e-9, QrWork::take(n, &arrays), out->data(), pool);
      };
      decompose(&q, one);
      decompose(&again, three);
      expect(q == again, "qr on three threads, to the bit", n, rank);
      int depending = 0;
      for (int i = 0; i < n; ++i) depending += w[i * (stride + 1)] == 0;
      expect(depending == n - rank, "rows that depend on others", n, depending);
      Doubles rows(n * n);
      for (int i = 0; i < n; ++i) std::copy_n(q.begin() + i * stride, n, rows.begin() + i * n);
      expectBelow(maxDifference(product(rows, transposed(rows, n), n), identity(n)), 1e-13 * n,
                  "qr: Q Q^T - I", n);
      const Doubles lower = product(given, transposed(rows, n), n);
      double above = 0;
      for (int i = 0; i < n; ++i)
        for (int j = i + 1; j < n; ++j) above = std::max(above, std::fabs(lower[i * n + j]));
      expectBelow(above, 1e-12 * n, "qr: W Q^T above the diagonal", n);
    }
}

// Each step from the last one's basis, beside the root from nothing.
void testWarm() {
  ThreadPool one(1), three(3);
  RootOptions cold, options;
  options.warm = true;
  for (const int n : {1, 2, 7, 15, 16, 17, 33, 130})
    for (const int rank : {n, (n + 2) / 3}) {
      Doubles values(n);
      for (int i = 0; i < rank; ++i) values[i] = i % 3 == 0 ? 1 : 1.0 / (i + 1);
      Floats a = withSpectrum(values), basis(n * n);
      for (int step = 0; step < 6; ++step, a = moved(a, n, step)) {
        Memory scratch(inverseRootScratchBytes(n, options));
        Scratch arrays(scratch.data());
        const EighWork work = takeEighWork(n, &arrays);
        const bool begun = warmPanels(wholeMatrix(a.data(), n), basis.data(), work, one);
        expect(begun == (step > 0), "a warm start, from the second root on", n, step);
        Floats expected(n * n), alone(n * n), together(n * n), other = basis;
        runRoot(a, n, cold, &expected);
        const RootResult first = inverseRoot(wholeMatrix(a.data(), n), options, alone.data(),
                                             scratch.data(), one, basis.data());
        const RootResult second = inverseRoot(wholeMatrix(a.data(), n), options, together.data(),
                                              scratch.data(), three, other.data());
        expect(first.status == MatrixStatus::ok, "warm root", n, first.residual);
        const double most = maxDifference(doubles(expected), Doubles(n * n));
        expectBelow(maxDifference(doubles(alone), doubles(expected)) / most, 1e-6, "warm root", n);
        expect(alone == together && basis == other && first.residual == second.residual,
               "warm root on three threads, to the bit", n, step);
      }
    }
  Floats out(4), basis = {1, 0, 0, 1};
  for (const Floats& bad : {Floats{0, 0, 0, 0}, Floats{-1, 0, 0, -1}, Floats{1, 0, 0, -0.5f},
                            Floats{1, kNan, kNan, 1}}) {
    Memory scratch(inverseRootScratchBytes(2, options));
    const RootResult result = inverseRoot(wholeMatrix(bad.data(), 2), options, out.data(),
                                          scratch.data(), one, basis.data());
    expect(result.status == runRoot(bad, 2, cold, &out).status &&
               result.status != MatrixStatus::ok && out == Floats(4),
           "a warm root that fails", bad[3], result.residual);
  }
}

void testCholesky() {
  for (const int n : kSizes) {
    Floats out(n * n);
    expect(runCholesky(secondDifference(n), n, 0.25, &out) == MatrixStatus::ok, "cholesky", n, 0);
    const Doubles expected = ofSecondDifference(n, [](double x) { return 1 / (x + 0.25); });
    expectBelow(maxDifference(doubles(out), expected), 1e-7, "cholesky", n);
    expect(isSymmetric(out, n), "cholesky, symmetric", n, 0);
    expect(runCholesky(Floats(n * n), n, 0.5, &out) == MatrixStatus::ok, "cholesky of zero, damped",
           n, 0);
    expectBelow(maxDifference(doubles(out), diagonal(Doubles(n, 2.0))), 1e-6,
                "cholesky of zero, damped", n);

    const Floats before(n * n, 7.0f);
    out = before;
    Floats a = secondDifference(n);
    a[n * n - 1] = -1;
    expect(runCholesky(a, n, 0, &out) == MatrixStatus::notPositive, "cholesky, last pivot negative",
           n, 0);
    expect(runCholesky(Floats(n * n), n, 0, &out) == MatrixStatus::notPositive, "cholesky of zero",
           n, 0);
    a[n * (n - 1)] = kNan;
    expect(runCholesky(a, n, 0, &out) == MatrixStatus::notFinite, "cholesky, not finite", n, 0);
    expect(runCholesky(floats(diagonal(Doubles(n, 1e-42))), n, 0, &out) == MatrixStatus::overflow,
           "cholesky beyond float32", n, 0);
    expect(out == before, "cholesky that fails leaves out alone", n, out[0]);
  }
  for (const double condition : {1e2, 1e4, 1e6}) {
    Floats out(1600);
    const Floats a = withSpectrum(logSpectrum(40, condition));
    expect(runCholesky(a, 40, 0, &out) == MatrixStatus::ok, "cholesky by condition", condition, 0);
    expectBelow(residualOf(a, 0, out, 1, 40), 1e-7 * condition, "cholesky by condition", condition);
  }
  Floats two = {2, kNan, 1, 2};
  expect(runCholesky(two, 2, 0, &two) == MatrixStatus::ok, "cholesky in place", 2, 0);
  expectBelow(maxDifference(doubles(two), {2.0 / 3, -1.0 / 3, -1.0 / 3, 2.0 / 3}), 1e-7,
              "cholesky in place", 2);
  expect(runCholesky(Floats(), 0, 0, &two) == MatrixStatus::ok, "cholesky, empty", 0, 0);
}

}  // namespace

int main() {
  testEigh();
  testRoot(false);
  testRoot(true);
  testThreads();
  testWarm();
  testCholesky();
  testQr();
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
