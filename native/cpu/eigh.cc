// Symmetric eigenproblem: Householder reduction to a tridiagonal matrix, from the last row up
// (Golub & Van Loan 8.3.1), then implicit QL with Wilkinson's shift (EISPACK tql2). The reduction
// makes one pass over memory a step, the rotations of many sweeps are applied together to one
// column panel at a time.
#include "eigh.h"

#include <cfloat>
#include <cmath>
#include <cstring>

#include "dot.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

constexpr int kWidth = kPanel<double>;
constexpr int kSweepsKept = 16;     // sweeps of full length that the rotation buffer holds
constexpr int kMaxIterations = 60;  // per eigenvalue; two are usual
constexpr double kNegligible =
    1e-200;  // squared, relative to a matrix scaled to 1: dropped before it underflows

// Of vectors padded to a whole number of panels.
double paddedDot(const double* a, const double* b, int64_t size) {
  vd sum0 = {}, sum1 = {};
  for (int64_t j = 0; j < size; j += kWidth) {
    sum0 += load(a + j) * load(b + j);
    sum1 += load(a + j + kLanesF64) * load(b + j + kLanesF64);
  }
  return sumLanes(sum0 + sum1);
}

// A -= v w^T + w v^T on the first `rows` rows, then p = A x, in one pass over the lower triangle.
// Diagonal blocks of kWidth are kept whole. v, w, x are zero from their length on, so rows past it
// do not change.
void updateAndMultiply(double* a, int64_t size, int64_t rows, const double* v, const double* w,
                       const double* x, double* p) {
  constexpr int kRows = kLanes == 16 ? 4 : 2;
  std::memset(p, 0, sizeof(double) * static_cast<size_t>(size));
  for (int64_t r = 0; r < rows; r += kRows) {
    const int64_t block = r / kWidth * kWidth;
    double vr[kRows], wr[kRows], xr[kRows];
    vd sum[kRows] = {};
    for (int q = 0; q < kRows; ++q) vr[q] = v[r + q], wr[q] = w[r + q], xr[q] = x[r + q];
    double* row = a + r * size;
    for (int64_t j = 0; j < block; j += kLanesF64) {
      const vd vj = load(v + j), wj = load(w + j), xj = load(x + j);
      vd pj = load(p + j);
      for (int q = 0; q < kRows; ++q) {
        const vd y = load(row + q * size + j) - vr[q] * wj - wr[q] * vj;
        store(row + q * size + j, y);
        sum[q] += y * xj;
        pj += xr[q] * y;
      }
      store(p + j, pj);
    }
    for (int64_t j = block; j < block + kWidth; j += kLanesF64) {
      const vd vj = load(v + j), wj = load(w + j), xj = load(x + j);
      for (int q = 0; q < kRows; ++q) {
        const vd y = load(row + q * size + j) - vr[q] * wj - wr[q] * vj;
        store(row + q * size + j, y);
        sum[q] += y * xj;
      }
    }
    for (int q = 0; q < kRows; ++q) p[r + q] += sumLanes(sum[q]);
  }
}

// Reduces a to tridiagonal form: diagonal d, e[i] beside d[i] and d[i + 1]. Row i of a is left
// holding v of the reflector I - tau[i] v v^T that acts on the first i coordinates, zero from i on.
void tridiagonalise(double* a, int64_t n, int64_t size, double* d, double* e, double* tau,
                    double* columns) {
  double *v = columns, *w = columns + size, *x = columns + 2 * size, *p = columns + 3 * size;
  std::memset(columns, 0, sizeof(double) * static_cast<size_t>(4 * size));
  for (int64_t i = n - 1; i >= 0; --i) {
    double* row = a + i * size;
    const double vi = v[i], wi = w[i];
    for (int64_t j = 0; j <= i; ++j) row[j] -= vi * w[j] + wi * v[j];
    d[i] = row[i];
    tau[i] = 0;
    std::memset(x, 0, sizeof(double) * static_cast<size_t>(size));
    if (i > 0) {
      const double alpha = row[i - 1];
      e[i - 1] = alpha;
      std::memcpy(x, row, sizeof(double) * static_cast<size_t>(i - 1));
      const double rest = paddedDot(x, x, size);
      if (rest > kNegligible) {
        const double beta = std::copysign(std::sqrt(alpha * alpha + rest), -alpha);
        e[i - 1] = beta;
        tau[i] = (beta - alpha) / beta;
        const double inverse = 1 / (alpha - beta);
        for (int64_t j = 0; j < i - 1; ++j) x[j] *= inverse;
        x[i - 1] = 1;
      } else {
        std::memset(x, 0, sizeof(double) * static_cast<size_t>(size));
      }
    }
    updateAndMultiply(a, size, i, v, w, x, p);
    for (int64_t j = i; j < size; ++j) p[j] = 0;
    const double half = 0.5 * tau[i] * tau[i] * paddedDot(p, x, size);
    for (int64_t j = 0; j < size; ++j) w[j] = tau[i] * p[j] - half * x[j];
    std::memcpy(row, x, sizeof(double) * static_cast<size_t>(size));
    double* const last = v;
    v = x, x = last;
  }
}

// q = H(n-1) ... H(2) H(1) in panels. Applying one reflector and the product with the next share a
// pass.
void accumulate(const double* reflectors, const double* tau, int64_t n, int64_t size, double* q,
                ThreadPool& pool) {
  std::memset(q, 0, sizeof(double) * static_cast<size_t>(size * size));
  for (int64_t c = 0; c < n; ++c) at(q, size, c, c) = 1;
  pool.parallel(size / kWidth, [=](int64_t index, int) {
    const int64_t c = index * kWidth;
    double* panel = q + c * size;
    const double first = c + 1 < n ? reflectors[(c + 1) * size + c] : 0;
    vd w0 = first * load(panel + c * kWidth), w1 = first * load(panel + c * kWidth + kLanesF64);
    for (int64_t i = c + 1; i < n; ++i) {
      const double* v = reflectors + i * size;
      const double* next = i + 1 < n ? v + size : v;
      w0 *= tau[i], w1 *= tau[i];
      vd sum[2][2] = {};
      for (int64_t r = 0; r <= i; r += 2)  // v[i] = v[i + 1] = 0, and size is even
        for (int s = 0; s < 2; ++s) {
          double* row = panel + (r + s) * kWidth;
          const vd y0 = load(row) - v[r + s] * w0, y1 = load(row + kLanesF64) - v[r + s] * w1;
          store(row, y0), store(row + kLanesF64, y1);
          sum[s][0] += next[r + s] * y0, sum[s][1] += next[r + s] * y1;
        }
      w0 = sum[0][0] + sum[1][0], w1 = sum[0][1] + sum[1][1];
    }
  });
}

void transpose(const double* q, int64_t size, double* to) {
  for (int64_t j = 0; j < size / kWidth; ++j)
    for (int64_t i = 0; i < size / kWidth; ++i)
      transposeTile(tile(q, size, i, j), tile(to, size, j, i));
}

// Plane rotations of rows i and i + 1, i = high - 1 down to low, kept as (c, s) pairs until there
// are many.
class Rotations {
 public:
  Rotations(const EighWork& work, int64_t n, int64_t size, ThreadPool& pool)
      : pairs_(work.rotations),
        sweeps_(work.sweeps),
        rows_(work.vectors),
        n_(n),
        size_(size),
        pool_(pool) {}

  double* begin() {
    if (count_ + n_ > kSweepsKept * n_) flush();
    return pairs_ + 2 * count_;
  }
  void end(int64_t low, int64_t high) {
    if (low == high) return;
    sweeps_[2 * swept_] = low;
    sweeps_[2 * swept_++ + 1] = high;
    count_ += high - low;
  }
  void flush() {
    pool_.parallel(size_ / kWidth, [this](int64_t index, int) {
      double* panel = rows_ + index * kWidth * size_;
      const double* pair = pairs_;
      for (int64_t sweep = 0; sweep < swept_; ++sweep) {
        const int64_t low = sweeps_[2 * sweep], high = sweeps_[2 * sweep + 1];
        double* row = panel + high * kWidth;
        vd x0 = load(row), x1 = load(row + kLanesF64);
        for (int64_t i = high; i-- > low; pair += 2, row -= kWidth) {
          const vd z0 = load(row - kWidth), z1 = load(row - kWidth + kLanesF64);
          const double cosine = pair[0], sine = pair[1];
          store(row, cosine * x0 + sine * z0);
          store(row + kLanesF64, cosine * x1 + sine * z1);
          x0 = cosine * z0 - sine * x0;
          x1 = cosine * z1 - sine * x1;
        }
        store(row, x0), store(row + kLanesF64, x1);
      }
    });
    count_ = swept_ = 0;
  }

 private:
  double* pairs_;
  int64_t* sweeps_;
  double* rows_;
  int64_t n_, size_, count_ = 0, swept_ = 0;
  ThreadPool& pool_;
};

// Eigenvalues of the tridiagonal matrix into d; e is destroyed. Its entries are of order 1 or less.
bool implicitQl(double* d, double* e, int64_t n, Rotations* rotations) {
  double norm = 0;
  for (int64_t i = 0; i < n; ++i)
    norm = std::fmax(norm, std::fabs(d[i]) + (i + 1 < n ? std::fabs(e[i]) : 0));
  const double floor = DBL_EPSILON * DBL_EPSILON * norm;
  for (int64_t l = 0; l < n; ++l) {
    for (int iteration = 0;; ++iteration) {
      int64_t m = l;
      while (m + 1 < n &&
             std::fabs(e[m]) > DBL_EPSILON * (std::fabs(d[m]) + std::fabs(d[m + 1])) + floor)
        ++m;
      if (m == l) break;
      if (iteration == kMaxIterations) return false;
      double g = (d[l + 1] - d[l]) / (2 * e[l]);
      g = d[m] - d[l] + e[l] / (g + std::copysign(std::sqrt(g * g + 1), g));
      double s = 1, c = 1, p = 0;
      double* pair = rotations->begin();
      int64_t i = m;
      while (i > l) {
        const double f = s * e[i - 1], b = c * e[i - 1];
        const double square = f * f + g * g;
        double r = square > kNegligible ? std::sqrt(square) : std::hypot(f, g);
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
        pair[0] = c, pair[1] = s, pair += 2;
      }
      rotations->end(i, m);
      d[i] -= p;
      if (i == l) e[l] = g;
      e[m] = 0;
    }
  }
  return true;
}

}  // namespace

EighWork takeEighWork(int64_t n, Scratch* scratch) {
  const int64_t size = paddedSize<double>(n);
  EighWork work;
  work.matrix = scratch->take<double>(size * size);
  work.panels = scratch->take<double>(size * size);
  work.vectors = work.matrix;
  work.e = scratch->take<double>(size);
  work.tau = scratch->take<double>(size);
  work.columns = scratch->take<double>(4 * size);
  work.rotations = scratch->take<double>(2 * kSweepsKept * size);
  work.sweeps = scratch->take<int64_t>(2 * kSweepsKept * size);
  return work;
}

bool eighPanels(const float* a, int64_t n, double* values, const EighWork& work, ThreadPool& pool) {
  const int64_t size = paddedSize<double>(n);
  if (!lowerIsFinite(a, n)) return false;
  double largest = 0;
  for (int64_t r = 0; r < n; ++r)
    for (int64_t c = 0; c <= r; ++c)
      largest = std::fmax(largest, std::fabs(static_cast<double>(a[r * n + c])));
  int exponent = 0;
  std::frexp(largest, &exponent);
  const double scale = std::ldexp(1.0, -exponent);

  std::memset(work.matrix, 0, sizeof(double) * static_cast<size_t>(size * size));
  for (int64_t r = 0; r < n; ++r)
    for (int64_t c = 0; c <= r; ++c) {
      const double x = scale * a[r * n + c];
      work.matrix[r * size + c] = x;
      if (c / kWidth == r / kWidth) work.matrix[c * size + r] = x;
    }
  tridiagonalise(work.matrix, n, size, values, work.e, work.tau, work.columns);
  accumulate(work.matrix, work.tau, n, size, work.panels, pool);
  transpose(work.panels, size, work.vectors);
  Rotations rotations(work, n, size, pool);
  if (!implicitQl(values, work.e, n, &rotations)) return false;
  rotations.flush();
  for (int64_t i = 0; i < n; ++i) values[i] = std::ldexp(values[i], exponent);
  return true;
}

size_t eighScratchBytes(int64_t n) {
  Scratch scratch(nullptr);
  takeEighWork(n, &scratch);
  scratch.take<double>(n);
  scratch.take<int64_t>(n);
  return scratch.bytes();
}

bool eigh(const float* a, int64_t n, double* values, double* vectors, void* memory,
          ThreadPool& pool) {
  Scratch scratch(memory);
  const EighWork work = takeEighWork(n, &scratch);
  double* unsorted = scratch.take<double>(n);
  int64_t* order = scratch.take<int64_t>(n);
  if (!eighPanels(a, n, unsorted, work, pool)) return false;
  for (int64_t i = 0; i < n; ++i) {
    int64_t j = i;
    for (; j > 0 && unsorted[order[j - 1]] > unsorted[i]; --j) order[j] = order[j - 1];
    order[j] = i;
  }
  const int64_t size = paddedSize<double>(n);
  for (int64_t i = 0; i < n; ++i) {
    values[i] = unsorted[order[i]];
    for (int64_t c = 0; c < n; ++c) vectors[i * n + c] = at(work.vectors, size, order[i], c);
  }
  return true;
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
