// The inner kernels of the matrix product, for a small tile of C held in registers: `tile` adds
// outer products (vectors along the columns of B), `dots` inner products (vectors along k).
#pragma once

#include <algorithm>
#include <utility>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "cpu/base/transpose.h"

namespace flatmin {
namespace FLATMIN_ISA {

// The largest tiles: their accumulators, a row of B and an element of A fill the registers. A
// single row takes more vectors, few columns of inner products more rows: those of one column, of
// two, and so on.
#if defined(__AVX512F__)
inline constexpr int kTileRows = 8, kTileVectors = 3, kSingleRowVectors = 12;
inline constexpr int kDotRows[] = {8, 8, 6, 6};
#elif defined(__AVX2__)
inline constexpr int kTileRows = 6, kTileVectors = 2, kSingleRowVectors = 8;
inline constexpr int kDotRows[] = {8, 4, 3};
#else
inline constexpr int kTileRows = 4, kTileVectors = 2, kSingleRowVectors = 8;
inline constexpr int kDotRows[] = {8, 4, 3};
#endif
inline constexpr int kDotCols = sizeof kDotRows / sizeof *kDotRows;

// What stands at an element's place in the operands: a float, or a pair of bfloat16 that follow one
// another along k, whose two products are added at a time.
struct Floats {
  static FLATMIN_INLINE vf add(vf sum, float a, vf b) { return sum + a * b; }
  static FLATMIN_INLINE vf add(vf sum, vf a, vf b) { return sum + a * b; }
};
#if defined(__AVX512F__)
struct Pairs {
  static FLATMIN_INLINE vf add(vf sum, float a, vf b) { return add(sum, (vf)_mm512_set1_ps(a), b); }
  // In assembly, since the file is compiled for processors without it, too.
  static FLATMIN_INLINE vf add(vf sum, vf a, vf b) {
    asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
  }
};
// Pairs that tiles multiply where a product is large enough (gemm_tiles.h).
struct TiledPairs : Pairs {};
#endif

// Where a product goes: C(i, j) at data[i * rowStride + j * colStride].
struct Target {
  float* data;
  int64_t rowStride, colStride;
  float alpha, beta;
  const float* rowBias;
  const float* colBias;

  Target from(int64_t i, int64_t j) const {
    return {data + i * rowStride + j * colStride,
            rowStride,
            colStride,
            alpha,
            beta,
            rowBias ? rowBias + i : nullptr,
            colBias ? colBias + j : nullptr};
  }
  Target transposed() const { return {data, colStride, rowStride, alpha, beta, colBias, rowBias}; }
};

// The lanes of a vector that belong to the matrix: begin <= lane < end.
class Lanes {
 public:
  Lanes(int64_t begin, int64_t end) : begin_(begin), end_(end) {}
  int64_t begin() const { return begin_; }
  int64_t end() const { return end_; }

#if defined(__AVX512F__)
  vf load(const float* p) const { return (vf)_mm512_maskz_loadu_ps(mask(), p); }
  void store(float* p, vf v) const { _mm512_mask_storeu_ps(p, mask(), (__m512)v); }
#else
  vf load(const float* p) const {
    if (end_ - begin_ == kLanes) return FLATMIN_ISA::load(p);
    float lanes[kLanes] = {};
    for (int64_t l = begin_; l < end_; ++l) lanes[l] = p[l];
    return FLATMIN_ISA::load(lanes);
  }
  void store(float* p, vf v) const {
    if (end_ - begin_ == kLanes) return FLATMIN_ISA::store(p, v);
    float lanes[kLanes];
    FLATMIN_ISA::store(lanes, v);
    for (int64_t l = begin_; l < end_; ++l) p[l] = lanes[l];
  }
#endif

 private:
#if defined(__AVX512F__)
  __mmask16 mask() const { return static_cast<__mmask16>((1u << end_) - (1u << begin_)); }
#endif
  int64_t begin_, end_;
};

// C = alpha sums + beta C + biases, row by row.
__attribute__((noinline)) inline void finish(int64_t m, int64_t n, const float* sums, int64_t ld,
                                             const Target& c) {
  for (int64_t i = 0; i < m; ++i) {
    float* out = c.data + i * c.rowStride;
    for (int64_t j = 0; j < n; j += kLanes) {
      const Lanes lanes(0, std::min<int64_t>(kLanes, n - j));
      vf x = c.alpha * lanes.load(sums + i * ld + j);
      if (c.beta != 0) x += c.beta * lanes.load(out + j);
      if (c.rowBias) x += c.rowBias[i];
      if (c.colBias) x += lanes.load(c.colBias + j);
      lanes.store(out + j, x);
    }
  }
}

// The same for m <= kLanes rows that are columns of C, whose rowStride is 1.
__attribute__((noinline)) inline void finishTransposed(int64_t m, int64_t n, const float* sums,
                                                       int64_t ld, const Target& c) {
  const Lanes rows(0, m);
  for (int64_t j = 0; j < n; j += kLanes) {
    vf columns[kLanes];
    FLATMIN_UNROLL
    for (int64_t i = 0; i < kLanes; ++i) columns[i] = i < m ? load(sums + i * ld + j) : vf{};
    transpose(columns);
    FLATMIN_UNROLL
    for (int64_t l = 0; l < kLanes; ++l) {
      if (j + l >= n) break;
      float* const out = c.data + (j + l) * c.colStride;
      vf x = c.alpha * columns[l];
      if (c.beta != 0) x += c.beta * rows.load(out);
      if (c.rowBias) x += rows.load(c.rowBias);
      if (c.colBias) x += c.colBias[j + l];
      rows.store(out, x);
    }
  }
}

// One tile's operands. A(i, p) is at a[i + p * aStep] (kColumnsOfA) or a[i * aStep + p]. Vectors
// follow one another, in row p of B from b[p * bStep] on, but for the last, which begins at bLast
// in B and cLast in C. It may overlap its neighbour, or reach beyond C: only cLanes are touched.
struct TileOperands {
  int64_t k;
  const float* a;
  int64_t aStep;
  const float* b;
  int64_t bStep, bLast;
  int64_t cLast;
  Lanes cLanes{0, kLanes};
};

template <class Element, int M, int V, bool kColumnsOfA>
void tile(const TileOperands& t, const Target& c) {
  vf acc[M][V] = {};
  const float* a = t.a;
  const float* b = t.b;
  const int64_t aStep = t.aStep, bStep = t.bStep, bLast = t.bLast;
  const Lanes lanes = t.cLanes;
  for (int64_t p = 0; p < t.k; ++p) {
    vf row[V];
    FLATMIN_UNROLL
    for (int v = 0; v < V; ++v) row[v] = load(b + (v == V - 1 ? bLast : v * kLanes));
    FLATMIN_UNROLL
    for (int i = 0; i < M; ++i) {
      const float x = kColumnsOfA ? a[i] : a[i * aStep];
      FLATMIN_UNROLL
      for (int v = 0; v < V; ++v) acc[i][v] = Element::add(acc[i][v], x, row[v]);
    }
    a += kColumnsOfA ? aStep : 1;
    b += bStep;
  }

  const auto each = [&, last = t.cLast ](auto&& apply) __attribute__((always_inline)) {
    FLATMIN_UNROLL
    for (int i = 0; i < M; ++i) {
      FLATMIN_UNROLL
      for (int v = 0; v < V; ++v) apply(acc[i][v], i, v, v == V - 1 ? last : v * kLanes);
    }
  };
  const auto get = [&](const float* p, int v) { return v == V - 1 ? lanes.load(p) : load(p); };
  const auto out = [&](int i, int64_t j) { return c.data + i * c.rowStride + j; };
  if (c.alpha != 1) each([&](vf& x, int, int, int64_t) { x *= c.alpha; });
  if (c.beta != 0) each([&](vf& x, int i, int v, int64_t j) { x += c.beta * get(out(i, j), v); });
  if (c.rowBias) each([&](vf& x, int i, int, int64_t) { x += c.rowBias[i]; });
  if (c.colBias) each([&](vf& x, int, int v, int64_t j) { x += get(c.colBias + j, v); });
  each([&](vf x, int i, int v, int64_t j) {
    v == V - 1 ? lanes.store(out(i, j), x) : store(out(i, j), x);
  });
}

// A bias for each row or column of a C of N columns without gaps, at its elements' lanes.
template <int N, size_t... l>
FLATMIN_INLINE vf ofRows(vf bias, std::index_sequence<l...>) {
  return permute<l / N...>(bias);
}
template <int N, size_t... l>
FLATMIN_INLINE vf ofColumns(vf bias, std::index_sequence<l...>) {
  return permute<l % N...>(bias);
}

// M x N inner products: A(i, p) at a[i * aStep + p], B(p, j) at b[j * bStep + p].
template <class Element, int M, int N>
void dots(int64_t k, const float* a, int64_t aStep, const float* b, int64_t bStep,
          const Target& c) {
  vf acc[M][N] = {};
  const auto add = [&](auto&& get) __attribute__((always_inline)) {
    vf cols[N];
    FLATMIN_UNROLL
    for (int j = 0; j < N; ++j) cols[j] = get(b + j * bStep);
    FLATMIN_UNROLL
    for (int i = 0; i < M; ++i) {
      const vf x = get(a + i * aStep);
      FLATMIN_UNROLL
      for (int j = 0; j < N; ++j) acc[i][j] = Element::add(acc[i][j], x, cols[j]);
    }
  };
  for (; k >= kLanes; k -= kLanes, a += kLanes, b += kLanes)
    add([](const float* p) { return load(p); });
  if (k > 0) add([lanes = Lanes(0, k)](const float* p) { return lanes.load(p); });
  float sums[(M * N / kLanes + 1) * kLanes];
  FLATMIN_UNROLL
  for (int first = 0; first < M * N; first += kLanes) {
    vf rows[kLanes];
    FLATMIN_UNROLL
    for (int l = 0; l < kLanes; ++l)
      rows[l] = first + l < M * N ? acc[(first + l) / N % M][(first + l) % N] : vf{};
    store(sums + first, sumRows(rows));
  }
  if (M * N <= kLanes && c.colStride == 1 && c.rowStride == N) {
    constexpr auto each = std::make_index_sequence<kLanes>{};
    const Lanes all(0, M * N);
    vf x = c.alpha * load(sums);
    if (c.beta != 0) x += c.beta * all.load(c.data);
    if (c.rowBias) x += ofRows<N>(Lanes(0, M).load(c.rowBias), each);
    if (c.colBias) x += ofColumns<N>(Lanes(0, N).load(c.colBias), each);
    all.store(c.data, x);
  } else {
    finish(M, N, sums, N, c);
  }
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
