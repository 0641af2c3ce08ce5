#include "cpu/gemm/gemm.h"

#include <algorithm>

#include "cpu/base/integers.h"
#include "cpu/base/lower.h"
#include "cpu/gemm/gemm_bf16.h"
#include "cpu/gemm/gemm_microkernel.h"
#include "cpu/gemm/gemm_pack.h"
#include "cpu/gemm/gemm_tiles.h"

namespace flatmin {
namespace FLATMIN_ISA {
namespace {

// Measured with AVX-512 on Zen 4.
constexpr int64_t kPlain = 64;                   // m n k up to which a plain loop is fastest
constexpr int64_t kBlockDepth = 256;             // k of a packed block of B,
constexpr int64_t kBlockVectors = 24;            // which with this width stays in the L2 cache
constexpr int64_t kRowsInPlace = 4 * kTileRows;  // B is read in place for so few rows of A,
constexpr int64_t kInPlace = 4096;               // or if it has so few elements
constexpr int64_t kDotDepth = 1024;              // k of a block of inner products
constexpr int64_t kSmallTask = 1 << 20;          // m n k of a task, for up to 8 tasks
constexpr int64_t kLargeTask = 1 << 25;          // and for up to 64
constexpr int64_t kChunkDepth = 512;             // least k of a chunk of a split k
constexpr int64_t kTurn = 8 * kLanes;       // vector operations of a square of C that is transposed
constexpr int64_t kPassElements = 1 << 18;  // of a task that only adds or copies
constexpr int64_t kWhole = INT64_MAX / 2;   // a diagonal right of every column
// By operation counts: from here on tiles repay being set up.
constexpr int64_t kTiled = 1 << 14;  // m n k in pairs

// [0, size) in even parts, cut at multiples of unit.
class Split {
 public:
  Split(int64_t size, int64_t parts, int64_t unit = 1) : parts(parts), size_(size), unit_(unit) {
    const int64_t units = unit == 1 ? size : ceilDiv(size, unit);
    each_ = parts == 1 ? units : units / parts;
    more_ = units - each_ * parts;
  }
  int64_t begin(int64_t i) const {
    return std::min((i * each_ + std::min(i, more_)) * unit_, size_);
  }
  int64_t size(int64_t i) const { return begin(i + 1) - begin(i); }
  const int64_t parts;

 private:
  int64_t size_, unit_, each_, more_;
};

// ---- Outer products ----

using Tile = void (*)(const TileOperands&, const Target&);

template <class Element, bool kColumnsOfA, int... i, int... v>
Tile chooseTile(int64_t rows, int64_t vectors, std::integer_sequence<int, i...>,
                std::integer_sequence<int, v...>) {
  static constexpr Tile single[] = {tile<Element, 1, v + 1, kColumnsOfA>...};
  static constexpr Tile table[] = {
      tile<Element, i / kTileVectors + 1, i % kTileVectors + 1, kColumnsOfA>...};
  return rows == 1 ? single[vectors - 1] : table[(rows - 1) * kTileVectors + vectors - 1];
}

template <class Element>
Tile chooseTile(int64_t rows, int64_t vectors, bool columnsOfA) {
  constexpr auto tiles = std::make_integer_sequence<int, kTileRows * kTileVectors>{};
  constexpr auto single = std::make_integer_sequence<int, kSingleRowVectors>{};
  return columnsOfA ? chooseTile<Element, true>(rows, vectors, tiles, single)
                    : chooseTile<Element, false>(rows, vectors, tiles, single);
}

size_t tileScratch(GemmShape s) {
  const int64_t vectors = std::min(ceilDiv(s.n, kLanes), kBlockVectors);
  return (std::min(s.k, kBlockDepth) + kLanes) * vectors * kLanes +
         std::min(s.k, kBlockDepth) * kTileRows;
}

// Leaves out tiles that lie wholly above the diagonal, where column = row + diagonal.
template <class Element>
void multiplyTiles(GemmShape s, Matrix a, Matrix b, Target c, int64_t diagonal, float* scratch) {
  const int64_t columnVectors = ceilDiv(s.n, kLanes);
  const Split blocks(columnVectors, ceilDiv(columnVectors, kBlockVectors));
  const Split depths(s.k, std::max<int64_t>(ceilDiv(s.k, kBlockDepth), 1));
  const bool turned = c.colStride != 1;  // C is the transpose of a matrix in rows
  const Split groups(s.m, turned ? ceilDiv(s.m, kLanes) : 1);
  const bool packingB =
      b.colStride != 1 || s.n < kLanes || (s.m > kRowsInPlace && s.n * s.k > kInPlace);
  const bool packingA = a.rowStride != 1 && a.colStride != 1;
  const bool columnsOfA = packingA || a.rowStride == 1;

  for (int64_t block = 0; block < blocks.parts; ++block) {
    const int64_t vectors = blocks.size(block), first = blocks.begin(block) * kLanes;
    const Split cols(vectors, ceilDiv(vectors, s.m == 1 ? kSingleRowVectors : kTileVectors));
    for (int64_t d = 0; d < depths.parts; ++d) {
      const int64_t p = depths.begin(d), k = depths.size(d);
      const Target sums = {scratch, vectors * kLanes, 1, 1, 0, nullptr, nullptr};
      float* const packedB = scratch + kLanes * vectors * kLanes;
      float* const packedA = packedB + k * vectors * kLanes;
      Target out = c;
      if (d > 0) out.beta = 1;
      if (d + 1 < depths.parts) out.rowBias = out.colBias = nullptr;

      const auto columnTile = [&](int64_t t) {
        return ColumnTile(blocks.begin(block) + cols.begin(t), cols.size(t), s.n);
      };
      for (int64_t t = 0; packingB && t < cols.parts; ++t)
        packB(k, b.from(p, 0), columnTile(t), s.n, packedB + cols.begin(t) * k * kLanes);
      TileOperands operands;
      operands.k = k;
      for (int64_t g = 0; g < groups.parts; ++g) {
        const Split rows(groups.size(g), ceilDiv(groups.size(g), kTileRows));
        for (int64_t r = 0; r < rows.parts; ++r) {
          const int64_t i = groups.begin(g) + rows.begin(r), height = rows.size(r);
          if (packingA) packA(k, a.from(i, p), height, packedA);
          operands.a = packingA ? packedA : a.at(i, p);
          operands.aStep = packingA ? height : columnsOfA ? a.colStride : a.rowStride;
          for (int64_t t = 0; t < cols.parts; ++t) {
            const ColumnTile tile = columnTile(t);
            if (tile.j > i + height - 1 + diagonal) break;
            const int64_t width = tile.vectors * kLanes, end = tile.j + tile.last;
            operands.b = packingB ? packedB + cols.begin(t) * k * kLanes : b.at(p, tile.j);
            operands.bStep = packingB ? width : b.rowStride;
            operands.bLast = packingB ? width - kLanes : tile.last;
            operands.cLast = tile.last;
            operands.cLanes = {width - kLanes - tile.last, std::min<int64_t>(kLanes, s.n - end)};
            chooseTile<Element>(height, tile.vectors, columnsOfA)(
                operands, turned ? sums.from(rows.begin(r), tile.j - first) : out.from(i, tile.j));
          }
        }
        if (turned)
          finishTransposed(groups.size(g), std::min(vectors * kLanes, s.n - first), sums.data,
                           sums.rowStride, out.from(groups.begin(g), first));
      }
    }
  }
}

// ---- Inner products ----

using Dots = void (*)(int64_t, const float*, int64_t, const float*, int64_t, const Target&);

template <class Element, int kCols, int... r>
Dots chooseDots(int64_t rows, std::integer_sequence<int, r...>) {
  static constexpr Dots table[] = {dots<Element, r + 1, kCols>...};
  return table[rows - 1];
}

template <class Element, int kCols = 1>
Dots chooseDots(int64_t rows, int64_t cols) {
  if constexpr (kCols < kDotCols)
    if (cols > kCols) return chooseDots<Element, kCols + 1>(rows, cols);
  constexpr auto heights = std::make_integer_sequence<int, kDotRows[kCols - 1]>{};
  return chooseDots<Element, kCols>(rows, heights);
}

template <class Element>
void multiplyDots(GemmShape s, Matrix a, Matrix b, Target c, int64_t diagonal) {
  const Split depths(s.k, std::max<int64_t>(ceilDiv(s.k, kDotDepth), 1), kLanes);
  const Split rows(s.m, ceilDiv(s.m, kDotRows[std::min<int64_t>(s.n, kDotCols) - 1]));
  const Split cols(s.n, ceilDiv(s.n, kDotCols));
  for (int64_t d = 0; d < depths.parts; ++d) {
    const int64_t p = depths.begin(d);
    Target out = c;
    if (d > 0) out.beta = 1;
    if (d + 1 < depths.parts) out.rowBias = out.colBias = nullptr;
    for (int64_t r = 0; r < rows.parts; ++r) {
      const int64_t i = rows.begin(r), height = rows.size(r);
      for (int64_t t = 0; t < cols.parts; ++t) {
        const int64_t j = cols.begin(t), width = cols.size(t);
        if (j > i + height - 1 + diagonal) break;
        chooseDots<Element>(height, width)(depths.size(d), a.at(i, p), a.rowStride, b.at(p, j),
                                           b.colStride, out.from(i, j));
      }
    }
  }
}

// ---- The choice between them ----

template <class Element>
size_t serialScratch(GemmShape s) {
  size_t floats = std::max(tileScratch(s), tileScratch({s.n, s.m, s.k}));
#if defined(__AVX512F__)
  if (std::is_same_v<Element, TiledPairs>) floats = std::max(floats, gemmTilesScratchFloats(s));
#endif
  return roundUp(floats, 16);
}

// Vector operations, about: products, packing by transposition or element, writing C transposed.
int64_t tileCost(GemmShape s, const Matrix& a, const Matrix& b, const Target& c) {
  const int64_t vectors = ceilDiv(s.n, kLanes);
  int64_t cost = s.m * vectors * s.k;
  if (b.colStride != 1) cost += (b.rowStride == 1 ? 6 : 2 * kLanes) * vectors * s.k;
  if (a.colStride != 1 && a.rowStride != 1) cost += 2 * s.m * s.k;
  if (c.colStride != 1) cost += kTurn * ceilDiv(s.m, kLanes) * vectors * ceilDiv(s.k, kBlockDepth);
  return cost;
}
int64_t dotCost(GemmShape s) { return s.m * s.n * (ceilDiv(s.k, kLanes) + 4); }

// The plain sum, for products too small to repay a choice.
void multiplyPlain(GemmShape s, Matrix a, Matrix b, Target c, int64_t diagonal) {
  for (int64_t i = 0; i < s.m; ++i) {
    for (int64_t j = 0; j < s.n && j <= i + diagonal; ++j) {
      float sum = 0;
      for (int64_t p = 0; p < s.k; ++p) sum += *a.at(i, p) * *b.at(p, j);
      float* out = c.data + i * c.rowStride + j * c.colStride;
      sum *= c.alpha;
      if (c.beta != 0) sum += c.beta * *out;
      if (c.rowBias) sum += c.rowBias[i];
      if (c.colBias) sum += c.colBias[j];
      *out = sum;
    }
  }
}

template <class Element>
void multiply(GemmShape s, Matrix a, Matrix b, Target c, int64_t diagonal, float* scratch) {
  if (std::is_same_v<Element, Floats> && s.m * s.n * s.k <= kPlain)
    return multiplyPlain(s, a, b, c, diagonal);
  // A stride that is never taken is whatever suits.
  if (s.m == 1) a.rowStride = a.colStride == 1 ? s.k : 1;
  if (s.n == 1) b.colStride = b.rowStride == 1 ? s.k : 1;

  const GemmShape swapped = {s.n, s.m, s.k};
  const Matrix at = a.transposed(), bt = b.transposed();
  const Target ct = c.transposed();
  const bool canSwap = diagonal == kWhole;
  const int64_t straight = tileCost(s, a, b, c);
  const int64_t crossed = canSwap ? tileCost(swapped, bt, at, ct) : straight;
  if (a.colStride == 1 && b.rowStride == 1 && dotCost(s) < std::min(straight, crossed)) {
    if (s.m == 1 && canSwap) return multiplyDots<Element>(swapped, bt, at, ct, diagonal);
    return multiplyDots<Element>(s, a, b, c, diagonal);
  }
  if (crossed < straight) return multiplyTiles<Element>(swapped, bt, at, ct, diagonal, scratch);
  multiplyTiles<Element>(s, a, b, c, diagonal, scratch);
}

#if defined(__AVX512F__)
template <>
void multiply<TiledPairs>(GemmShape s, Matrix a, Matrix b, Target c, int64_t diagonal,
                          float* scratch) {
  if (s.m * s.n * s.k < kTiled) return multiply<Pairs>(s, a, b, c, diagonal, scratch);
  gemmTiles(s, a, b, c, scratch);
}
#endif

// ---- Tasks ----

// C is cut into rows x cols blocks; where these are too few for the work, k is cut into chunks,
// whose sums are added in a fixed tree.
struct Grid {
  int64_t rows = 1, cols = 1, chunks = 1;

  explicit Grid(GemmShape s) {
    const double products = static_cast<double>(s.m * s.n * s.k);
    const double wanted =
        std::max(std::min(products / kSmallTask, 8.0), std::min(products / kLargeTask, 64.0));
    while (rows * cols < wanted) {
      const int64_t height = s.m / rows, width = s.n / cols;
      if (width > 128 || (width >= 128 && height < 512) || (width >= 64 && height < 128)) {
        cols *= 2;
      } else if (height >= 64) {
        rows *= 2;
      } else {
        break;
      }
    }
    chunks = std::clamp<int64_t>(static_cast<int64_t>(wanted) / (rows * cols), 1,
                                 std::max<int64_t>(s.k / kChunkDepth, 1));
  }
};

Target targetOf(const GemmOut& c) {
  return {c.data, c.ld, 1, c.alpha, c.beta, c.rowBias, c.colBias};
}

template <class Element>
size_t scratchFloats(GemmShape s, int threads) {
  const int64_t chunks = Grid(s).chunks;
  return serialScratch<Element>(s) * threads + (chunks == 1 ? 0 : chunks * roundUp(s.m * s.n, 16));
}

template <class Element>
void run(GemmShape s, Matrix a, Matrix b, GemmOut c, bool lower, float* scratch, ThreadPool& pool) {
  const Target out = targetOf(c);
  if (s.m * s.n * s.k <= kSmallTask)  // one block: cutting would take as long as a tile
    return multiply<Element>(s, a, b, out, lower ? 0 : kWhole, scratch);
  const Grid grid(s);
  const int64_t perThread = serialScratch<Element>(s);
  const int64_t perChunk = roundUp(s.m * s.n, 16);
  float* const partial = scratch + perThread * pool.threads();

  const Split rowBlocks(s.m, grid.rows, kTileRows), colBlocks(s.n, grid.cols, kLanes);
  const Split chunks(s.k, grid.chunks, kLanes);
  const int64_t blocks = grid.rows * grid.cols;
  pool.parallel(blocks * grid.chunks, [&](int64_t task, int thread) {
    const int64_t chunk = task / blocks, r = task % blocks / grid.cols, t = task % grid.cols;
    const int64_t i = rowBlocks.begin(r), j = colBlocks.begin(t), p = chunks.begin(chunk);
    const GemmShape block = {rowBlocks.size(r), colBlocks.size(t), chunks.size(chunk)};
    const int64_t diagonal = lower ? i - j : kWhole;
    if (block.m - 1 + diagonal < 0) return;  // wholly above the diagonal
    const Target whole =
        grid.chunks == 1 ? out : Target{partial + chunk * perChunk, s.n, 1, 1, 0, nullptr, nullptr};
    multiply<Element>(block, a.from(i, p), b.from(p, j), whole.from(i, j), diagonal,
                      scratch + thread * perThread);
  });
  if (grid.chunks == 1) return;

  const Split rows(s.m, std::min(ceilDiv(s.m * s.n * grid.chunks, kPassElements), s.m));
  pool.parallel(rows.parts, [&](int64_t task, int) {
    for (int64_t i = rows.begin(task); i < rows.begin(task + 1); ++i) {
      const int64_t n = lower ? i + 1 : s.n;
      float* const row = partial + i * s.n;
      for (int64_t step = 1; step < grid.chunks; step *= 2)
        for (int64_t chunk = 0; chunk + step < grid.chunks; chunk += 2 * step)
          for (int64_t j = 0; j < n; ++j)
            row[chunk * perChunk + j] += row[(chunk + step) * perChunk + j];
      finish(1, n, row, s.n, out.from(i, 0));
    }
  });
}
}  // namespace

size_t gemmSerialScratchFloats(GemmShape s) { return serialScratch<Floats>(s); }

void gemmSerial(GemmShape s, Matrix a, Matrix b, GemmOut c, float* scratch) {
  if (s.m == 0 || s.n == 0) return;  // guard
  multiply<Floats>(s, a, b, targetOf(c), kWhole, scratch);
}

size_t gemmScratchFloats(GemmShape s, int threads) { return scratchFloats<Floats>(s, threads); }

void gemm(GemmShape s, Matrix a, Matrix b, GemmOut c, float* scratch, ThreadPool& pool) {
  if (s.m == 0 || s.n == 0) return;  // guard
  run<Floats>(s, a, b, c, false, scratch, pool);
}

void syrk(int64_t n, int64_t k, Matrix a, GemmOut c, float* scratch, ThreadPool& pool) {
  if (n == 0) return;  // guard
  run<Floats>({n, n, k}, a, a.transposed(), c, true, scratch, pool);
  const Split rows(n, ceilDiv(n * n, kPassElements));
  pool.parallel(rows.parts, [&](int64_t task, int) {
    for (int64_t i = rows.begin(task); i < rows.begin(task + 1); ++i)
      for (int64_t j = i + 1; j < n; ++j) c.data[i * c.ld + j] = c.data[j * c.ld + i];
  });
}

size_t syrkPackedScratchFloats(int64_t n, int64_t k, int threads) {
  return roundUp(n * n, 16) + gemmScratchFloats({n, n, k}, threads);
}

void syrkPacked(int64_t n, int64_t k, Matrix a, GemmOut c, float* scratch, ThreadPool& pool) {
  if (n == 0) return;  // guard
  run<Floats>({n, n, k}, a, a.transposed(), {scratch, n}, true, scratch + roundUp(n * n, 16), pool);
  const Split rows(n, ceilDiv(n * n, kPassElements));
  pool.parallel(rows.parts, [&](int64_t task, int) {
    for (int64_t i = rows.begin(task); i < rows.begin(task + 1); ++i)
      finish(1, i + 1, scratch + i * n, n,
             {c.data + packedSize(i), 0, 1, c.alpha, c.beta, nullptr, nullptr});
  });
}

#if defined(__AVX512F__)
size_t gemmPairsScratchFloats(PairUnit unit, GemmShape s, int threads) {
  return unit == PairUnit::tiles ? scratchFloats<TiledPairs>(s, threads)
                                 : scratchFloats<Pairs>(s, threads);
}

void gemmPairs(PairUnit unit, GemmShape s, Matrix a, Matrix b, GemmOut c, float* scratch,
               ThreadPool& pool) {
  if (s.m == 0 || s.n == 0) return;  // guard
  unit == PairUnit::tiles ? run<TiledPairs>(s, a, b, c, false, scratch, pool)
                          : run<Pairs>(s, a, b, c, false, scratch, pool);
}

size_t gemmPairsSerialScratchFloats(PairUnit unit, GemmShape s) {
  return unit == PairUnit::tiles ? serialScratch<TiledPairs>(s) : serialScratch<Pairs>(s);
}

void gemmPairsSerial(PairUnit unit, GemmShape s, Matrix a, Matrix b, GemmOut c, float* scratch) {
  if (s.m == 0 || s.n == 0) return;  // guard
  unit == PairUnit::tiles ? multiply<TiledPairs>(s, a, b, targetOf(c), kWhole, scratch)
                          : multiply<Pairs>(s, a, b, targetOf(c), kWhole, scratch);
}
#endif

}  // namespace FLATMIN_ISA
}  // namespace flatmin
