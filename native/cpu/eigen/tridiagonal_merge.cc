#include "cpu/eigen/tridiagonal_merge.h"

#include <algorithm>
#include <atomic>
#include <cfloat>
#include <cmath>
#include <cstring>

#include "cpu/base/integers.h"
#include "cpu/eigen/panels.h"
#include "cpu/eigen/secular.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

constexpr int W = kPanel<double>;
constexpr int64_t kRowsOfTask = 16;

// In which half a row of vectors has entries.
enum Half : uint8_t { kLeft = 1, kRight = 2, kBoth = 3 };

// One merge, its arrays from the row `low` on.
class Merging {
 public:
  Merging(Merge& merge, int64_t size, const TridiagonalWork& work)
      : merge_(merge),
        size_(size),
        rows_(merge.high - merge.low),
        values_(work.values + merge.low),
        sorted_(work.sorted + merge.low),
        weights_(work.weights + merge.low),
        typed_(work.typed + merge.low),
        z_(work.z + merge.low),
        origins_(work.origins + merge.low),
        offsets_(work.offsets + merge.low),
        order_(work.order + merge.low),
        source_(work.rows + merge.low),
        vectors_(work.vectors),
        packed_(work.packed),
        coefficients_(work.coefficients + merge.low * size) {}

  int64_t panels() const { return ceilDiv(merge_.count, W); }
  int64_t columns() const { return merge_.count == 0 ? 0 : ceilDiv(rows_, W); }
  int64_t chunks() const { return ceilDiv(merge_.count, kRowsOfTask); }

  // Sorts the values, drops rows that are vectors already, and orders the others by halves.
  void deflate() {
    const double rho = 2 * std::fabs(merge_.beside);
    double largest = rho;
    for (int64_t i = 0; i < rows_; ++i) {
      const bool isLeft = i < merge_.mid - merge_.low;
      const int64_t column = isLeft ? merge_.mid - 1 : merge_.mid;
      const double sign = isLeft ? 1 : std::copysign(1, merge_.beside);
      z_[i] = sign * std::sqrt(0.5) * at(vectors_, size_, merge_.low + i, column);
      largest = std::fmax(largest, std::fabs(values_[i]));
      order_[i] = i;
    }
    std::sort(order_, order_ + rows_, [this](int64_t a, int64_t b) {
      return values_[a] < values_[b] || (values_[a] == values_[b] && a < b);
    });
    const double tolerance = 8 * DBL_EPSILON * std::fmax(largest, DBL_EPSILON);

    Half* const halves = reinterpret_cast<Half*>(origins_);  // free until the roots are there
    for (int64_t i = 0; i < rows_; ++i) halves[i] = i < merge_.mid - merge_.low ? kLeft : kRight;
    int64_t kept = 0, dropped = rows_, last = -1;
    const auto keep = [&](int64_t row) { order_[kept++] = row; };
    const auto drop = [&](int64_t row) { source_[--dropped] = row; };
    for (int64_t i = 0; i < rows_; ++i) {
      const int64_t row = order_[i];
      if (rho * std::fabs(z_[row]) <= tolerance) {
        drop(row);
        continue;
      }
      if (last >= 0) {
        const double length = std::hypot(z_[row], z_[last]);
        const double cosine = z_[row] / length, sine = -z_[last] / length;
        if (std::fabs((values_[row] - values_[last]) * cosine * sine) <= tolerance) {
          z_[row] = length;
          rotate(last, row, cosine, sine);
          halves[row] = halves[last] = static_cast<Half>(halves[row] | halves[last]);
          drop(last);
        } else {
          keep(last);
        }
      }
      last = row;
    }
    if (last >= 0) keep(last);
    merge_.count = kept;
    if (kept == 0) return;
    arrange(halves, rho);
  }

  // Column panel `c` of the rows, in the order of halves, for the product.
  void pack(int64_t c) {
    const int64_t column = merge_.low / W + c;
    const double* from = vectors_ + (column * size_ + merge_.low) * W;
    double* to = packed_ + (column * size_ + merge_.low) * W;
    for (int64_t i = 0; i < rows_; ++i)
      std::memcpy(to + i * W, from + source_[i] * W, W * sizeof(double));
  }

  // The roots of panel p, and d_i - root for every row i.
  bool solve(int64_t p) {
    const int64_t count = merge_.count;
    for (int64_t j = p * W; j < (p + 1) * W; j += kLanesF64)
      if (!secularRoots(sorted_, weights_, count, std::min(j, count - 1), origins_ + j,
                        offsets_ + j))
        return false;
    for (int64_t j = p * W; j < (p + 1) * W; ++j) {
      if (j < count)
        values_[j] = origins_[j] + offsets_[j];
      else  // past the last: of no effect
        origins_[j] = sorted_[j], offsets_[j] = 0;
    }
    double* const panel = coefficients_ + p * count * W;
    for (int half = 0; half < 2; ++half) {
      const int64_t lane = p * W + half * kLanesF64;
      const vd origin = load(origins_ + lane), offset = load(offsets_ + lane);
      for (int64_t i = 0; i < count; ++i)
        store(panel + i * W + half * kLanesF64, (typed_[i] - origin) - offset);
    }
    return true;
  }

  // Loewner's formula: the z whose roots are exactly those found, so that the vectors come out
  // orthogonal. |z_i|^2 = prod_j (root_j - d_i) / prod_{j != i} (d_j - d_i), up to a factor.
  void correct(int64_t chunk) {
    const int64_t count = merge_.count, end = std::min(count, (chunk + 1) * kRowsOfTask);
    for (int64_t i = chunk * kRowsOfTask; i < end; ++i) {
      vd product = 1.0 - vd{};
      for (int64_t p = 0; p < panels(); ++p) {
        const double* toRoots = coefficients_ + (p * count + i) * W;
        product *=
            load(toRoots) * load(toRoots + kLanesF64) / (gap(i, p * W) * gap(i, p * W + kLanesF64));
      }
      double all = 1;
      for (int lane = 0; lane < kLanesF64; ++lane) all *= product[lane];
      z_[i] = std::copysign(std::sqrt(std::fabs(all)), z_[i]);
    }
  }

  // The vectors of panel p: z_i / (d_i - root) of length 1, times the rows of the halves.
  void multiply(int64_t p) {
    const int64_t count = merge_.count;
    double* const panel = coefficients_ + p * count * W;
    vd square0 = {}, square1 = {};
    for (int64_t i = 0; i < count; ++i) {
      double* row = panel + i * W;
      const vd x0 = load(row), x1 = load(row + kLanesF64), quotient = z_[i] / (x0 * x1);
      const vd y0 = x1 * quotient, y1 = x0 * quotient;  // a division for two
      store(row, y0), store(row + kLanesF64, y1);
      square0 += y0 * y0, square1 += y1 * y1;
    }
    vd scale0, scale1;
    for (int lane = 0; lane < kLanesF64; ++lane)
      scale0[lane] = 1 / std::sqrt(square0[lane]), scale1[lane] = 1 / std::sqrt(square1[lane]);
    for (int64_t i = 0; i < count; ++i) {
      double* row = panel + i * W;
      store(row, scale0 * load(row)), store(row + kLanesF64, scale1 * load(row + kLanesF64));
    }
    for (int64_t c = 0; c < columns(); ++c) {
      const int64_t column = merge_.low / W + c;
      const bool isLeft = column * W < merge_.mid;
      const int64_t begin = isLeft ? 0 : merge_.leftOnly, end = isLeft ? merge_.left : count;
      const int64_t start = (column * size_ + merge_.low) * W;
      multiplyTile(panel, packed_ + start, begin, end, vectors_ + start + p * W * W);
      if (p + 1 == panels())  // the rows that deflated stand below, where this tile may end
        std::memcpy(vectors_ + start + count * W, packed_ + start + count * W,
                    static_cast<size_t>((rows_ - count) * W) * sizeof(double));
    }
    if (p + 1 == panels()) std::copy(typed_ + count, typed_ + rows_, values_ + count);
  }

 private:
  // d_i - d_j in lanes, -1 where they are the same.
  vd gap(int64_t i, int64_t j) const {
    const vd difference = typed_[i] - load(sorted_ + j);
    return difference == 0.0 ? vd{} - 1.0 : difference;
  }

  // (last, row) <- (c last + s row, c row - s last), with the values that belong to them.
  void rotate(int64_t last, int64_t row, double cosine, double sine) {
    for (int64_t c = 0; c < ceilDiv(rows_, W); ++c) {
      double* const start = vectors_ + ((merge_.low / W + c) * size_ + merge_.low) * W;
      double *x = start + last * W, *y = start + row * W;
      for (int half = 0; half < 2; ++half, x += kLanesF64, y += kLanesF64) {
        const vd x0 = load(x), y0 = load(y);
        store(x, cosine * x0 + sine * y0), store(y, cosine * y0 - sine * x0);
      }
    }
    const double a = values_[last], b = values_[row];
    values_[last] = a * cosine * cosine + b * sine * sine;
    values_[row] = a * sine * sine + b * cosine * cosine;
  }

  // The kept rows by value into sorted_ and weights_, all rows by half into source_ and typed_, and
  // z_ in their order.
  void arrange(const Half* halves, double rho) {
    const int64_t count = merge_.count;
    int64_t place = 0;
    for (const Half half : {kLeft, kBoth, kRight}) {
      for (int64_t i = 0; i < count; ++i)
        if (halves[order_[i]] == half) source_[place++] = order_[i];
      if (half == kLeft) merge_.leftOnly = place;
      if (half == kBoth) merge_.left = place;
    }
    for (int64_t i = 0; i < count; ++i) {
      sorted_[i] = values_[order_[i]];
      weights_[i] = rho * z_[order_[i]] * z_[order_[i]];
    }
    const double above = sorted_[count - 1] + 2 * rho + std::fabs(sorted_[count - 1]);
    for (int64_t i = count; i < panels() * W; ++i) sorted_[i] = above;
    for (int64_t i = 0; i < rows_; ++i) typed_[i] = values_[source_[i]];
    for (int64_t i = 0; i < count; ++i) offsets_[i] = z_[source_[i]];
    std::copy(offsets_, offsets_ + count, z_);
  }

  Merge& merge_;
  int64_t size_, rows_;
  double *values_, *sorted_, *weights_, *typed_, *z_, *origins_, *offsets_;
  int64_t *order_, *source_;
  double *vectors_, *packed_, *coefficients_;
};

}  // namespace

bool mergeHalves(Merge* merges, int64_t count, int64_t size, const TridiagonalWork& work,
                 ThreadPool& pool) {
  // body(merge, index) for every index below what `tasks` counts in a merge.
  const auto forEach = [&](auto tasks, auto body) {
    int64_t all = 0;
    for (int64_t m = 0; m < count; ++m) all += tasks(Merging(merges[m], size, work));
    pool.parallel(all, [&](int64_t index, int) {
      for (int64_t m = 0;; ++m) {
        Merging merging(merges[m], size, work);
        const int64_t own = tasks(merging);
        if (index < own) return body(merging, index);
        index -= own;
      }
    });
  };
  std::atomic<bool> good{true};
  forEach([](const Merging&) { return 1; }, [](Merging& merging, int64_t) { merging.deflate(); });
  forEach([](const Merging& merging) { return merging.panels() + merging.columns(); },
          [&](Merging& merging, int64_t index) {
            if (index >= merging.panels())
              merging.pack(index - merging.panels());
            else if (!merging.solve(index))
              good = false;
          });
  if (!good) return false;
  forEach([](const Merging& merging) { return merging.chunks(); },
          [](Merging& merging, int64_t index) { merging.correct(index); });
  forEach([](const Merging& merging) { return merging.panels(); },
          [](Merging& merging, int64_t index) { merging.multiply(index); });
  return true;
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
