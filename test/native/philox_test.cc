// Normals: the formula in float32 against the same in double, and the kernels' vectors against the
// formula.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "cpu/base/random.h"

using namespace flatmin;
using namespace flatmin::FLATMIN_ISA;

static int passed = 0;
static int failed = 0;

static void check(bool holds, const char* what) {
  ++(holds ? passed : failed);
  if (!holds) std::fprintf(stderr, "failed: %s\n", what);
}

static double ulps(float got, double want) {
  const float size = std::fabs(static_cast<float>(want));
  return std::fabs(got - want) / (std::nextafter(size, INFINITY) - size);
}

// The worst of both normals of two words, in ulp.
static double errorOf(uint32_t a, uint32_t b) {
  const double u = ((a >> 8) + 1) / 16777216.0;
  const double turn = 2 * std::acos(-1.0) * ((b >> 8) + 0.5) / 16777216.0;
  const double radius = std::sqrt(-2 * std::log(u));
  float x, y;
  formulas::toNormals<float, uint32_t>(a, b, x, y, [](float v) { return std::sqrt(v); });
  return std::max(ulps(x, radius * std::cos(turn)), ulps(y, radius * std::sin(turn)));
}

int main() {
  const formulas::RandomSource source{1234567890123, 7, 3};
  double worst = 0;
  for (uint64_t i = 0; i < 400000; ++i)
    worst = std::max(worst, errorOf(formulas::randomWord(source, 2 * i),
                                    formulas::randomWord(source, 2 * i + 1)));
  check(worst <= 3.5, "random words");

  // The ends of both ranges, and either side of every eighth of a turn.
  worst = 0;
  for (uint32_t a : {0u, 1u, 0x100u, 0x7fffffffu, 0x80000000u, 0xfffffe00u, 0xfffffeffu})
    for (uint32_t eighth = 0; eighth < 8; ++eighth)
      for (uint32_t near : {0u, 0x100u, 0u - 0x100u})
        worst = std::max(worst, errorOf(a, (eighth << 29) + near));
  check(worst <= 3.5, "ends and eighths");
  check(errorOf(0xffffffffu, 5) == 0, "u = 1 gives 0");

  float normals[kWordsPerRound];
  bool same = true;
  double sum = 0, squares = 0;
  const uint64_t rounds = 20000;
  for (uint64_t r = 0; r < rounds; ++r) {
    randomNormals(source, r * kBlocksPerRound, normals);
    for (int i = 0; i < kWordsPerRound; i += 2) {
      const uint64_t element = r * kWordsPerRound + static_cast<uint64_t>(i);
      float x, y;
      formulas::toNormals<float, uint32_t>(formulas::randomWord(source, element),
                                           formulas::randomWord(source, element + 1), x, y,
                                           [](float v) { return std::sqrt(v); });
      same = same && ulps(normals[i], x) <= 4 && ulps(normals[i + 1], y) <= 4;
    }
    for (float z : normals) {
      sum += z;
      squares += z * z;
    }
  }
  check(same, "vectors give the formula's normals in the order of the elements");
  const double n = static_cast<double>(rounds) * kWordsPerRound;
  check(std::fabs(sum / n) < 5 / std::sqrt(n), "mean 0");
  check(std::fabs(squares / n - 1) < 5 * std::sqrt(2 / n), "variance 1");

  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
