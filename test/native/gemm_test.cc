// The matrix product against a float64 loop, and against itself over threads and alignments. From
// the repository's root, for the portable instruction set (others: FLATMIN_ISA and their -m flags):
//   g++ -std=c++17 -O3 -DFLATMIN_ISA=portable -Inative test/native/gemm_test.cc native/cpu/gemm/gemm.cc
//     native/program/thread_pool.cc -pthread -o gemm_test && ./gemm_test
// `./gemm_test --short` tests products of two threads alone, `--bench` measures the speed of one
// thread instead. With FLATMIN_AMX_MODEL it tests the products of bfloat16, by vectors and by
// tiles, at operands that are bfloat16 already (and needs gemm_bf16.cc and gemm_tiles.cc, too).
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "cpu/base/simd.h"
#include "cpu/gemm/gemm.h"
#include "cpu/gemm/gemm_bf16.h"

using namespace flatmin;
using namespace flatmin::FLATMIN_ISA;

namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kUntouched = 12345;
constexpr double kTolerance = 1e-6;  // of the sum of absolute values
int passed = 0, failed = 0;

void check(bool ok, const std::string& what) {
  ++(ok ? passed : failed);
  if (!ok && failed <= 20) std::printf("failed: %s\n", what.c_str());
}

std::string name(const char* what, GemmShape s, int variant) {
  return std::string(what) + " m " + std::to_string(s.m) + " n " + std::to_string(s.n) + " k " +
         std::to_string(s.k) + " variant " + std::to_string(variant);
}

// Exactly `size` floats, so that a sanitizer sees the first access beyond; `offset` floats past
// alignment.
class Floats {
 public:
  explicit Floats(size_t size, int offset = 0, float value = kUntouched)
      : memory_(static_cast<float*>(operator new((size + offset) * sizeof(float), kAlignment))),
        data_(memory_.get() + offset) {
    std::fill_n(data_, size, value);
  }
  float* data() { return data_; }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Delete {
    void operator()(float* p) const { operator delete(p, kAlignment); }
  };
  std::unique_ptr<float, Delete> memory_;
  float* data_;
};

// A value in [-1, 1) for every element, the same in every layout.
float value(int64_t i, int64_t j, uint32_t seed) {
  uint32_t x =
      static_cast<uint32_t>(i) * 2654435761u ^ static_cast<uint32_t>(j) * 2246822519u ^ seed;
  x ^= x >> 15;
  x *= 2246822519u;
  x ^= x >> 13;
#if defined(FLATMIN_AMX_MODEL)
  return static_cast<float>(x >> 24) / (1 << 7) - 1;
#else
  return static_cast<float>(x >> 8) / (1 << 23) - 1;
#endif
}

// What is tested.
#if defined(FLATMIN_AMX_MODEL)
const GemmFunctions kProducts[] = {gemmBf16(PairUnit::vectors), gemmBf16(PairUnit::tiles)};
#else
const GemmFunctions kProducts[] = {kGemmFloat32};
#endif
GemmFunctions tested = kProducts[0];

enum Layout { kRows, kColumns, kSpaced, kLayouts };

struct Operand {
  Floats floats;
  Matrix matrix;
  Operand(int64_t m, int64_t n, Layout layout, uint32_t seed, int offset = 0)
      : floats(size(m, n, layout), offset),
        matrix{floats.data(), strides(m, n, layout)[0], strides(m, n, layout)[1]} {
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j)
        floats.data()[i * matrix.rowStride + j * matrix.colStride] = value(i, j, seed);
  }

 private:
  static std::vector<int64_t> strides(int64_t m, int64_t n, Layout layout) {
    if (layout == kRows) return {n + 1, 1};
    if (layout == kColumns) return {1, m};
    return {3, 3 * m + 2};
  }
  static size_t size(int64_t m, int64_t n, Layout layout) {
    const auto s = strides(m, n, layout);
    return m == 0 || n == 0 ? 0 : (m - 1) * s[0] + (n - 1) * s[1] + 1;
  }
};

struct Variant {
  float alpha, beta;
  bool rowBias, colBias;
  int64_t padding;  // of C's rows
};
const Variant kVariants[] = {{1, 0, false, false, 0},     {1, 1, false, false, 3},
                             {-0.5, 0.25, true, true, 1}, {-0.5, 0.25, true, true, 0},
                             {2, 0, true, false, 0},      {1, 0, false, true, 5}};
constexpr int kVariantCount = 6;

// The expected C and, element by element, the error allowed.
struct Reference {
  std::vector<double> sum, bound;
  Reference(GemmShape s) : sum(s.m * s.n), bound(s.m * s.n) {
    std::vector<double> b(s.k * s.n);
    for (int64_t p = 0; p < s.k; ++p)
      for (int64_t j = 0; j < s.n; ++j) b[p * s.n + j] = value(p, j, 2);
    for (int64_t i = 0; i < s.m; ++i)
      for (int64_t p = 0; p < s.k; ++p) {
        const double a = value(i, p, 1);
        for (int64_t j = 0; j < s.n; ++j) {
          sum[i * s.n + j] += a * b[p * s.n + j];
          bound[i * s.n + j] += std::fabs(a * b[p * s.n + j]);
        }
      }
  }
};

struct Bias {
  Floats row, col;
  Bias(GemmShape s) : row(s.m), col(s.n) {
    for (int64_t i = 0; i < s.m; ++i) row.data()[i] = value(i, 0, 4);
    for (int64_t j = 0; j < s.n; ++j) col.data()[j] = value(0, j, 5);
  }
};

enum Call { kSerial, kParallel };

// C as it comes out of a call with fresh operands.
std::vector<float> product(GemmShape s, Layout la, Layout lb, const Variant& v, Call call,
                           ThreadPool& pool, int offset = 0) {
  Operand a(s.m, s.k, la, 1, offset), b(s.k, s.n, lb, 2, offset);
  Bias bias(s);
  const int64_t ld = s.n + v.padding;
  Floats c(s.m * ld, offset);
  for (int64_t i = 0; i < s.m; ++i)
    for (int64_t j = 0; j < s.n; ++j) c.data()[i * ld + j] = v.beta == 0 ? kNaN : value(i, j, 3);
  const GemmOut out = {c.data(),
                       ld,
                       v.alpha,
                       v.beta,
                       v.rowBias ? bias.row.data() : nullptr,
                       v.colBias ? bias.col.data() : nullptr};
  Floats scratch(
      call == kSerial ? tested.serialScratchFloats(s) : tested.scratchFloats(s, pool.threads()), 0,
      kNaN);
  if (call == kSerial) {
    tested.serial(s, a.matrix, b.matrix, out, scratch.data());
  } else {
    tested.gemm(s, a.matrix, b.matrix, out, scratch.data(), pool);
  }
  return std::vector<float>(c.data(), c.data() + s.m * ld);
}

bool close(const std::vector<float>& c, const Reference& r, GemmShape s, const Variant& v) {
  const int64_t ld = s.n + v.padding;
  for (int64_t i = 0; i < s.m; ++i) {
    for (int64_t j = 0; j < s.n; ++j) {
      const double extra[] = {v.beta == 0 ? 0 : v.beta * value(i, j, 3),
                              v.rowBias ? value(i, 0, 4) : 0, v.colBias ? value(0, j, 5) : 0};
      double expected = v.alpha * r.sum[i * s.n + j],
             bound = std::fabs(v.alpha) * r.bound[i * s.n + j];
      for (double x : extra) expected += x, bound += std::fabs(x);
      if (!(std::fabs(c[i * ld + j] - expected) <= kTolerance * bound)) return false;
    }
    for (int64_t j = s.n; j < ld; ++j)
      if (c[i * ld + j] != kUntouched) return false;
  }
  return true;
}

bool equal(const std::vector<float>& x, const std::vector<float>& y) {
  if (x.size() != y.size()) return false;
  return x.empty() || std::memcmp(x.data(), y.data(), x.size() * sizeof(float)) == 0;
}

std::vector<GemmShape> smallShapes() {
  const int64_t sizes[] = {0, 1, 2, kLanes - 1, kLanes, kLanes + 1, 2 * kLanes + 3};
  std::vector<GemmShape> shapes;
  for (int64_t m : sizes)
    for (int64_t n : sizes)
      for (int64_t k : sizes) shapes.push_back({m, n, k});
  return shapes;
}

// LeNet-5's convolutions and their gradients, split k, several blocks in every direction.
const std::vector<GemmShape> kLargeShapes = {
    {6, 784, 25},   {16, 100, 150},  {150, 100, 16},  {16, 150, 100}, {6, 25, 784},
    {6, 25, 9001},  {16, 150, 3000}, {120, 400, 100}, {1, 512, 700},  {512, 1, 1100},
    {100, 10, 84},  {257, 131, 300}, {70, 1000, 20},  {513, 70, 530}, {33, 47, 4099},
    {1031, 18, 67}, {130, 450, 270}};

void testProducts(const std::vector<GemmShape>& shapes, ThreadPool& pool) {
  int turn = 0;
  for (const GemmShape& s : shapes) {
    const Reference reference(s);
    for (int la = 0; la < kLayouts; ++la)
      for (int lb = 0; lb < kLayouts; ++lb)
        for (Call call : {kSerial, kParallel}) {
          const int variant = turn++ % kVariantCount;
          const Variant& v = kVariants[variant];
          const auto c = product(s, Layout(la), Layout(lb), v, call, pool, turn % 3);
          check(close(c, reference, s, v),
                name(call == kSerial ? "gemmSerial" : "gemm", s, variant) + " layouts " +
                    std::to_string(la) + std::to_string(lb));
        }
  }
}

void testDeterminism() {
  ThreadPool one(1), two(2), four(4);
  for (const GemmShape& s : kLargeShapes)
    for (int layouts = 0; layouts < kLayouts * kLayouts; ++layouts) {
      const Layout la = Layout(layouts / kLayouts), lb = Layout(layouts % kLayouts);
      const Variant& v = kVariants[layouts % kVariantCount];
      const auto parallel = product(s, la, lb, v, kParallel, one);
      check(equal(parallel, product(s, la, lb, v, kParallel, two, 1)),
            name("two threads", s, layouts));
      check(equal(parallel, product(s, la, lb, v, kParallel, four, 3)),
            name("four threads", s, layouts));
      check(equal(product(s, la, lb, v, kSerial, one), product(s, la, lb, v, kSerial, one, 5)),
            name("alignment", s, layouts));
    }
}

// A NaN in row 0 of A stays in row 0 of C, one in column 0 of B in column 0.
void testSpread(ThreadPool& pool) {
  for (const GemmShape& s : kLargeShapes)
    for (int layouts = 0; layouts < kLayouts * kLayouts; ++layouts) {
      Operand a(s.m, s.k, Layout(layouts / kLayouts), 1),
          b(s.k, s.n, Layout(layouts % kLayouts), 2);
      a.floats.data()[0] = b.floats.data()[0] = kNaN;
      Floats c(s.m * s.n), scratch(tested.scratchFloats(s, pool.threads()), 0, kNaN);
      tested.gemm(s, a.matrix, b.matrix, {c.data(), s.n}, scratch.data(), pool);
      bool ok = true;
      for (int64_t i = 0; i < s.m; ++i)
        for (int64_t j = 0; j < s.n; ++j)
          ok &= std::isnan(c.data()[i * s.n + j]) == (i == 0 || j == 0);
      check(ok, name("NaN", s, layouts));
    }
}

// The lower triangle alone is read; the result is symmetric to the bit, or packed.
void testSyrk() {
  ThreadPool one(1), four(4);
  for (int64_t n : {0, 1, 2, kLanes - 1, kLanes, kLanes + 1, 2 * kLanes + 3, 60, 151, 310})
    for (int64_t k : {0, 1, 17, 300, 5003})
      for (int layout = 0; layout < kLayouts; ++layout)
        for (float beta : {0.0f, 0.5f}) {
          const auto run = [&, n = n, k = k](ThreadPool& pool, int offset) {
            Operand a(n, k, Layout(layout), 1, offset);
            const int64_t ld = n + 2;
            Floats c(n * ld, offset),
                scratch(gemmScratchFloats({n, n, k}, pool.threads()), 0, kNaN);
            for (int64_t i = 0; i < n; ++i)
              for (int64_t j = 0; j < n; ++j)
                c.data()[i * ld + j] = beta == 0 || j > i ? kNaN : value(i, j, 3);
            syrk(n, k, a.matrix, {c.data(), ld, 2, beta}, scratch.data(), pool);
            return std::vector<float>(c.data(), c.data() + n * ld);
          };
          const int64_t triangle = n * (n + 1) / 2;
          const auto runPacked = [&, n = n, k = k](ThreadPool& pool, int offset) {
            Operand a(n, k, Layout(layout), 1, offset);
            Floats c(triangle + 1, offset),
                scratch(syrkPackedScratchFloats(n, k, pool.threads()), 0, kNaN);
            for (int64_t i = 0; i < n; ++i)
              for (int64_t j = 0; j <= i; ++j)
                c.data()[i * (i + 1) / 2 + j] = beta == 0 ? kNaN : value(i, j, 3);
            syrkPacked(n, k, a.matrix, {c.data(), 0, 2, beta}, scratch.data(), pool);
            return std::vector<float>(c.data(), c.data() + triangle + 1);
          };
          const auto c = run(one, 0), packed = runPacked(one, 0);
          bool ok = packed[triangle] == kUntouched;
          for (int64_t i = 0; i < n; ++i)
            for (int64_t j = 0; j < n; ++j) ok &= c[i * (n + 2) + j] == c[j * (n + 2) + i];
          const bool sample =
              n > 100 && k > 1000;  // of the elements, where all would take too long
          for (int64_t i = 0; i < n; i += sample ? 7 : 1)
            for (int64_t j = 0; j <= i; j += sample ? 5 : 1) {
              double sum = 0, bound = 0;
              for (int64_t p = 0; p < k; ++p) {
                const double x = static_cast<double>(value(i, p, 1)) * value(j, p, 1);
                sum += x, bound += std::fabs(x);
              }
              const double old = beta == 0 ? 0 : beta * value(i, j, 3);
              for (const double got : {c[i * (n + 2) + j], packed[i * (i + 1) / 2 + j]})
                ok &= std::fabs(got - (2 * sum + old)) <= kTolerance * (2 * bound + std::fabs(old));
            }
          for (int64_t i = 0; i < n; ++i) ok &= c[i * (n + 2) + n] == kUntouched;
          check(ok, name("syrk", {n, n, k}, layout));
          check(equal(c, run(four, 3)) && equal(packed, runPacked(four, 3)),
                name("syrk, four threads", {n, n, k}, layout));
        }
}

void bench() {
  ThreadPool pool(1);
  for (const GemmShape& s : {GemmShape{64, 64, 64},
                             {256, 256, 256},
                             {1024, 1024, 1024},
                             {6, 784, 25},
                             {16, 100, 150},
                             {150, 100, 16},
                             {6, 25, 78400},
                             {120, 400, 100}}) {
    Operand a(s.m, s.k, kRows, 1), b(s.k, s.n, kRows, 2);
    Floats c(s.m * s.n), scratch(gemmScratchFloats(s, 1));
    const double flops = 2.0 * s.m * s.n * s.k;
    const int calls = static_cast<int>(1e8 / flops) + 1;
    double best = 1e9;
    for (int round = 0; round < 10; ++round) {
      const auto start = std::chrono::steady_clock::now();
      for (int call = 0; call < calls; ++call)
        gemm(s, a.matrix, b.matrix, {c.data(), s.n}, scratch.data(), pool);
      const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
      best = std::min(best, time.count() / calls);
    }
    std::printf("%5d x %4d x %5d %8.1f GFLOP/s\n", static_cast<int>(s.m), static_cast<int>(s.n),
                static_cast<int>(s.k), flops / best / 1e9);
  }
}
}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "--bench") == 0) return bench(), 0;
  ThreadPool pool(2);
  for (const GemmFunctions& product : kProducts) {
    tested = product;
    testProducts(smallShapes(), pool);
    testProducts(kLargeShapes, pool);
    if (argc > 1) continue;
    testDeterminism();
    testSpread(pool);
  }
  if (argc == 1) testSyrk();
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
