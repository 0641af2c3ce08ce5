// orthogonalize: polar factors of many matrices, approximately by X ← aX + (bA + cA²)X with A = XXᵀ
// for a list of (a, b, c) (Newton–Schulz, Jordan 2024; Polar Express, Amsel et al. 2025), or
// exactly by one-sided Jacobi rotations in double (Golub & Van Loan 8.6.3). A matrix taller than
// wide is transposed first. Small matrices are a block each, large ones go through gemm.h.
#include <cfloat>

#include "cuda/base/block.h"
#include "cuda/base/kernels.h"
#include "cuda/base/status.h"
#include "cuda/gemm/gemm.h"

namespace flatmin {
namespace cuda {

namespace {

constexpr double kLarge = 1 << 20;  // products XXᵀ of a matrix that has launches of its own
constexpr int64_t kSmallBlocks = 512;

// One matrix of one operand, small × large: the wide one of X and Xᵀ.
struct Item {
  int from, to;
  int64_t offset, small, large;
  bool tall;
  int32_t tensor;  // whose it is, where that is known

  __host__ __device__ int64_t size() const { return small * large; }
  // Where element e of the wide one stands in its operand.
  __device__ int64_t place(int64_t e) const {
    return offset + (tall ? e % large * small + e / large : e);
  }
  __device__ float* source(char* const* table) const {
    return reinterpret_cast<float*>(table[from]);
  }
  __device__ float* target(char* const* table) const { return reinterpret_cast<float*>(table[to]); }
};

struct Method {
  const double* coefficients;  // triples; none: the exact factor
  int64_t count;
  double safety, epsilon;
  bool leading;  // of the exact factor the largest singular value's part alone
  int64_t sweeps;
};

// put(i, j, Σ a[i, k] b[k, j]) for an m × n product, by a block.
template <class Put>
__device__ void blockProduct(int64_t m, int64_t n, int64_t depth, Matrix a, Matrix b, Put put) {
  for (int64_t e = threadIdx.x; e < m * n; e += kThreads) {
    float sum = 0;
    for (int64_t k = 0; k < depth; ++k) sum += a.at(e / n, k) * b.at(k, e % n);
    put(e / n, e % n, sum);
  }
  __syncthreads();
}

// Scratch of a small matrix: X, the next X, A and the factor.
__host__ __device__ inline int64_t smallFloats(const Item& m) {
  return 2 * m.size() + 2 * m.small * m.small;
}

__global__ void iterateSmall(const Item* items, int64_t count, char* const* table, Method method,
                             int64_t stride, float* scratch) {
  for (int64_t i = blockIdx.x; i < count; i += gridDim.x) {
    const Item m = items[i];
    const int64_t k = m.small, l = m.large;
    float* x = scratch + blockIdx.x * stride;
    float* next = x + m.size();
    float* const gram = next + m.size();
    float* const factor = gram + k * k;
    const float* const from = m.source(table);
    double squares = 0;
    for (int64_t e = threadIdx.x; e < m.size(); e += kThreads) {
      const double v = from[m.place(e)];
      squares += v * v;
    }
    const double scale = 1 / (method.safety * sqrt(blockSum(squares)) + method.epsilon);
    for (int64_t e = threadIdx.x; e < m.size(); e += kThreads)
      x[e] = static_cast<float>(from[m.place(e)] * scale);
    __syncthreads();
    for (int64_t t = 0; t < method.count; t += 3) {
      const float a = static_cast<float>(method.coefficients[t]);
      const float b = static_cast<float>(method.coefficients[t + 1]);
      const float c = static_cast<float>(method.coefficients[t + 2]);
      const Matrix wide{x, l, 1, true}, square{gram, k, 1, true};
      blockProduct(k, k, l, wide, {x, 1, l, true},
                   [&](int64_t r, int64_t j, float v) { gram[r * k + j] = v; });
      blockProduct(k, k, k, square, square, [&](int64_t r, int64_t j, float v) {
        factor[r * k + j] = c * v + b * gram[r * k + j] + (r == j ? a : 0.0f);
      });
      blockProduct(k, l, k, {factor, k, 1, true}, wide,
                   [&](int64_t r, int64_t j, float v) { next[r * l + j] = v; });
      float* const old = x;
      x = next;
      next = old;
    }
    float* const to = m.target(table);
    for (int64_t e = threadIdx.x; e < m.size(); e += kThreads) to[m.place(e)] = x[e];
    __syncthreads();  // before the next matrix
  }
}

constexpr double kOrthogonal = 1e-15;  // cosine of two rows that counts as zero

__device__ inline double blockDot(const double* a, const double* b, int64_t n) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < n; i += kThreads) sum += a[i] * b[i];
  return blockSum(sum);
}

// a ← c a − s b, b ← s a + c b
__device__ inline void turn(double* a, double* b, int64_t n, double c, double s) {
  for (int64_t i = threadIdx.x; i < n; i += kThreads) {
    const double x = a[i], y = b[i];
    a[i] = c * x - s * y;
    b[i] = s * x + c * y;
  }
}

// Turns every pair of rows once; false when all were orthogonal.
__device__ inline bool sweep(double* rows, double* rotations, int64_t k, int64_t l) {
  bool turned = false;
  for (int64_t p = 0; p < k; ++p)
    for (int64_t q = p + 1; q < k; ++q) {
      double *const a = rows + p * l, *const b = rows + q * l;
      const double aa = blockDot(a, a, l), bb = blockDot(b, b, l), ab = blockDot(a, b, l);
      if (!(fabs(ab) > kOrthogonal * sqrt(aa) * sqrt(bb))) continue;  // the same for all threads
      turned = true;
      const double zeta = (bb - aa) / (2 * ab);
      const double t = copysign(1 / (fabs(zeta) + hypot(zeta, 1.0)), zeta);
      const double c = 1 / sqrt(1 + t * t);
      turn(a, b, l, c, c * t);
      turn(rotations + p * k, rotations + q * k, k, c, c * t);
      __syncthreads();
    }
  return turned;
}

// Scratch of the exact factor: rows, rotations, and 1/σ of each row.
__host__ __device__ inline int64_t exactDoubles(const Item& m) {
  return m.size() + m.small * m.small + m.small;
}

__global__ void exactFactors(const Item* items, int64_t count, char* const* table, Method method,
                             int64_t stride, double* scratch, int32_t* failed) {
  for (int64_t i = blockIdx.x; i < count; i += gridDim.x) {
    const Item m = items[i];
    const int64_t k = m.small, l = m.large;
    double* const rows = scratch + blockIdx.x * stride;
    double* const rotations = rows + m.size();
    double* const inverses = rotations + k * k;
    const float* const from = m.source(table);
    for (int64_t e = threadIdx.x; e < m.size(); e += kThreads) rows[e] = from[m.place(e)];
    for (int64_t e = threadIdx.x; e < k * k; e += kThreads) rotations[e] = e % (k + 1) == 0 ? 1 : 0;
    __syncthreads();
    bool turning = true;
    for (int64_t done = 0; turning && done < method.sweeps; ++done)
      turning = sweep(rows, rotations, k, l);
    if (threadIdx.x == 0) failed[i] = turning;
    double largest = 0;
    int64_t first = 0;  // of the largest
    for (int64_t r = 0; r < k; ++r) {
      const double length = sqrt(blockDot(rows + r * l, rows + r * l, l));
      if (length > largest) largest = length, first = r;
      if (threadIdx.x == 0) inverses[r] = length;
    }
    __syncthreads();
    const double least = static_cast<double>(l) * DBL_EPSILON * largest;
    for (int64_t r = threadIdx.x; r < k; r += kThreads) {
      const bool out = inverses[r] <= least || (method.leading && r != first);
      inverses[r] = out ? 0 : 1 / inverses[r];  // NaN stays
    }
    __syncthreads();
    float* const to = m.target(table);
    for (int64_t e = threadIdx.x; e < m.size(); e += kThreads) {
      double sum = 0;
      for (int64_t r = 0; r < k; ++r)
        sum += rotations[r * k + e / l] * (rows[r * l + e % l] * inverses[r]);
      to[m.place(e)] = turning ? nanf("") : static_cast<float>(sum);
    }
    __syncthreads();  // before the next matrix
  }
}

// A factor that does not converge has no last one to keep: the run ends.
__global__ void stopFor(const Item* items, int64_t count, const int32_t* failed, const double* step,
                        int32_t* status) {
  if (standsStill(status)) return;
  for (int64_t i = 0; i < count; ++i) {
    if (!failed[i] || (status[kStop] && status[kTensor] <= items[i].tensor)) continue;
    status[kStop] = 6;
    status[kTensor] = items[i].tensor;
    status[kStep] = static_cast<int32_t>(*step);
  }
}

__global__ void squaresOf(Item m, char* const* table, double* partial) {
  const float* const from = m.source(table) + m.offset;
  double sum = 0;
  for (int64_t e = globalThread(); e < m.size(); e += globalThreads())
    sum += static_cast<double>(from[e]) * from[e];
  const double total = blockSum(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = total;
}

__global__ void bringNormed(Item m, char* const* table, Method method, int64_t partials,
                            const double* partial, float* x) {
  double sum = 0;
  for (int64_t c = threadIdx.x; c < partials; c += kThreads) sum += partial[c];
  const double scale = 1 / (method.safety * sqrt(blockSum(sum)) + method.epsilon);
  const float* const from = m.source(table);
  for (int64_t e = globalThread(); e < m.size(); e += globalThreads())
    x[e] = static_cast<float>(from[m.place(e)] * scale);
}

__global__ void takeBack(Item m, char* const* table, const float* x) {
  float* const to = m.target(table);
  for (int64_t e = globalThread(); e < m.size(); e += globalThreads()) to[m.place(e)] = x[e];
}

// aI + bA + cA² from the product A².
struct Factor {
  float* data;
  const float* gram;
  int64_t k;
  float a, b, c;

  __device__ void put(int64_t i, int64_t j, float value) const {
    data[i * k + j] = c * value + b * gram[i * k + j] + (i == j ? a : 0.0f);
  }
};

// A matrix with launches of its own.
struct Large {
  Item item;
  GemmShape gram, square, product;
  int64_t partials;

  explicit Large(const Item& m)
      : item(m),
        gram(m.small, m.small, m.large),
        square(m.small, m.small, m.small),
        product(m.small, m.large, m.small),
        partials(std::min<int64_t>(blocksFor(m.size()), kThreads)) {}

  int64_t gemmBytes() const {
    return std::max({gram.scratchBytes(), square.scratchBytes(), product.scratchBytes()});
  }
  int64_t scratchBytes() const {
    return partials * static_cast<int64_t>(sizeof(double)) + gemmBytes() +
           smallFloats(item) * static_cast<int64_t>(sizeof(float));
  }

  void run(const Method& method, const std::vector<double>& coefficients, const Step& step) const {
    const int64_t k = item.small, l = item.large;
    const unsigned blocks = blocksFor(item.size());
    double* const partial = reinterpret_cast<double*>(step.scratch);
    char* const sums = reinterpret_cast<char*>(partial + partials);
    float* x = reinterpret_cast<float*>(sums + gemmBytes());
    float* next = x + item.size();
    float* const a = next + item.size();
    float* const factor = a + k * k;
    LAUNCH(squaresOf, static_cast<unsigned>(partials), kThreads, 0, step.stream, item, step.table,
           partial);
    LAUNCH(bringNormed, blocks, kThreads, 0, step.stream, item, step.table, method, partials,
           partial, x);
    for (size_t t = 0; t + 2 < coefficients.size(); t += 3) {
      const Factor polynomial{factor,
                              a,
                              k,
                              static_cast<float>(coefficients[t]),
                              static_cast<float>(coefficients[t + 1]),
                              static_cast<float>(coefficients[t + 2])};
      gemm(gram, leftMatrix(x, l, 1), rightMatrix(x, 1, l), RowMajor{a, k, nullptr}, sums,
           step.stream);
      gemm(square, leftMatrix(a, k, 1), rightMatrix(a, k, 1), polynomial, sums, step.stream);
      gemm(product, leftMatrix(factor, k, 1), rightMatrix(x, l, 1), RowMajor{next, l, nullptr},
           sums, step.stream);
      std::swap(x, next);
    }
    LAUNCH(takeBack, blocks, kThreads, 0, step.stream, item, step.table, x);
  }
};

}  // namespace

Run op_orthogonalize(Instruction& in) {
  const std::vector<double> coefficients = in.list("coefficients");
  const Constant<double> triples(in, coefficients);
  const Method fixed{nullptr, triples.size(), in.number("safety"), in.number("epsilon"),
                     in.integer("leading") != 0, in.integer("sweeps")};
  const bool settled = in.integer("settled") != 0;
  const Operand status = settled ? in.inputs.at(0) : Operand{};
  const int64_t stepSlot = settled ? in.integer("stepSlot") : 0;
  const bool exact = coefficients.empty();
  std::vector<Item> small;
  std::vector<Large> large;
  int64_t stride = 0;  // of a block's scratch, in floats or doubles
  for (size_t t = 0; t < in.outputs.size(); ++t) {
    const Operand &x = in.inputs.at(t + (settled ? 1 : 0)), &y = in.outputs[t];
    const int32_t tensor = settled ? static_cast<int32_t>(in.list("tensors").at(t)) : 0;
    const int64_t rows = x.dim(1), cols = x.dim(2);
    if (rows * cols == 0) continue;
    for (int64_t i = 0; i < x.dim(0); ++i) {
      const Item m{x.id,
                   y.id,
                   i * rows * cols,
                   std::min(rows, cols),
                   std::max(rows, cols),
                   rows > cols,
                   tensor};
      const double products = static_cast<double>(m.small) * static_cast<double>(m.size());
      if (!exact && products >= kLarge) {
        large.emplace_back(m);
        in.scratchBytes = std::max(in.scratchBytes, large.back().scratchBytes());
      } else {
        small.push_back(m);
        stride = std::max(stride, exact ? exactDoubles(m) : smallFloats(m));
      }
    }
  }
  const Constant<Item> items(in, small);
  const int64_t blocks = std::min(items.size(), kSmallBlocks);
  const int64_t width = static_cast<int64_t>(exact ? sizeof(double) : sizeof(float));
  const int64_t scratch = blocks * stride * width;  // and then whether each exact factor has failed
  in.scratchBytes = std::max(
      in.scratchBytes, scratch + items.size() * static_cast<int64_t>(sizeof(int32_t)));
  return [=](const Step& step) {
    Method method = fixed;
    method.coefficients = triples.data();
    for (const Large& m : large) m.run(method, coefficients, step);
    if (items.size() == 0) return;  // guard
    if (exact) {
      int32_t* const failed = reinterpret_cast<int32_t*>(step.scratch + scratch);
      LAUNCH(exactFactors, static_cast<unsigned>(blocks), kThreads, 0, step.stream, items.data(),
             items.size(), step.table, method, stride, reinterpret_cast<double*>(step.scratch),
             failed);
      if (settled)
        LAUNCH(stopFor, 1, 1, 0, step.stream, items.data(), items.size(), failed,
               step.row + stepSlot, status.i32(step));
    } else {
      LAUNCH(iterateSmall, static_cast<unsigned>(blocks), kThreads, 0, step.stream, items.data(),
             items.size(), step.table, method, stride, reinterpret_cast<float*>(step.scratch));
    }
  };
}

}  // namespace cuda
}  // namespace flatmin
