// Halved at multiples of 16 until QL takes the parts; then level by level put together again.
#include "cpu/eigen/tridiagonal.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "cpu/eigen/tridiagonal_ql.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

constexpr int kPanelWidth = kPanel<double>;

// The multiple of 16 nearest to half of it; at least 16, as kMaxQl is 24.
int64_t middle(int64_t low, int64_t high) { return low + ((high - low) / 2 + 8) / 16 * 16; }

// The merges of [0, n), those of a level side by side and the last level at the end; what stands
// beside the diagonal at their middles is taken out.
int64_t divide(double* d, const double* e, int64_t n, Merge* merges) {
  int64_t count = 0;
  const auto add = [&](int64_t low, int64_t high, int64_t depth) {
    if (high - low <= kMaxQl) return;
    const int64_t mid = middle(low, high);
    const double beside = e[mid - 1];
    d[mid - 1] -= std::fabs(beside), d[mid] -= std::fabs(beside);
    merges[count++] = {low, mid, high, beside, depth, 0, 0, 0};
  };
  add(0, n, 0);
  for (int64_t m = 0; m < count; ++m) {
    const Merge merge = merges[m];
    add(merge.low, merge.mid, merge.depth + 1);
    add(merge.mid, merge.high, merge.depth + 1);
  }
  return count;
}

}  // namespace

bool tridiagonalEigen(double* e, int64_t n, const TridiagonalWork& work, ThreadPool& pool) {
  const int64_t size = paddedSize<double>(n);
  double* const d = work.values;
  pool.parallel(size / kPanelWidth, [&](int64_t c, int) {
    std::memset(work.vectors + c * size * kPanelWidth, 0,
                sizeof(double) * static_cast<size_t>(size * kPanelWidth));
    for (int64_t i = c * kPanelWidth; i < std::min(n, (c + 1) * kPanelWidth); ++i)
      at(work.vectors, size, i, i) = 1;
  });
  const auto solve = [&](int64_t low, int64_t high) {
    return high - low > kMaxQl ||
           implicitQl(d + low, e + low, high - low,
                      tile(work.vectors, size, low / kPanelWidth, low / kPanelWidth), size);
  };
  if (n <= kMaxQl) return solve(0, n);

  Merge* const merges = work.merges;
  int64_t count = divide(d, e, n, merges);
  std::atomic<bool> good{true};
  pool.parallel(2 * count, [&](int64_t index, int) {
    const Merge& merge = merges[index / 2];
    if (!(index % 2 == 0 ? solve(merge.low, merge.mid) : solve(merge.mid, merge.high)))
      good = false;
  });
  while (good && count > 0) {
    int64_t first = count - 1;
    while (first > 0 && merges[first - 1].depth == merges[count - 1].depth) --first;
    good = mergeHalves(merges + first, count - first, size, work, pool);
    count = first;
  }
  return good;
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
