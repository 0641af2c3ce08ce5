// Products along one dimension of tensors seen as [count, outer, dim, inner]: statistics G Gᵀ and
// P G, each tensor with matrices of its own.
#include <memory>

#include "cpu/base/chunks.h"
#include "cpu/base/kernels.h"
#include "cpu/base/lower.h"
#include "cpu/base/status.h"
#include "cpu/gemm/gemm.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

constexpr int64_t kLarge = 1 << 20;  // products of a tensor that all threads share

struct Mode {
  int64_t count, outer, dim, inner;

  explicit Mode(const Instruction& in)
      : count(in.integer("count")),
        outer(in.integer("outer")),
        dim(in.integer("dim")),
        inner(in.integer("inner")) {}
  // One slice for all when the dimension is the last: the tensor is an outer × dim matrix, as it is
  // without slices.
  bool isLast() const { return inner == 1 || outer == 0; }
  bool isElementwise() const { return outer * dim * inner == 1; }
  int64_t size() const { return outer * dim * inner; }
  int64_t gramDepth() const { return isLast() ? outer : inner; }
  GemmShape applyShape() const {
    return isLast() ? GemmShape{outer, dim, dim} : GemmShape{dim, inner, dim};
  }
};

// body(tensor, scratch, pool) for every tensor: large ones one after the other on all threads,
// small ones side by side. A product has the same bits on any pool.
class ForTensors {
 public:
  // scratchFloats(threads): of one product.
  template <class Floats>
  ForTensors(Instruction& in, const Mode& mode, Floats scratchFloats)
      : count_(mode.count), shared_(mode.count == 1 || mode.size() * mode.dim >= kLarge) {
    perThread_ = static_cast<int64_t>(scratchFloats(shared_ ? in.threads : 1) + 15) / 16 * 16;
    in.scratchBytes = perThread_ * static_cast<int64_t>(sizeof(float)) * (shared_ ? 1 : in.threads);
  }

  template <class Body>
  void operator()(const Step& step, Body body) const {
    float* const scratch = reinterpret_cast<float*>(step.scratch);
    if (shared_) {
      for (int64_t t = 0; t < count_; ++t) body(t, scratch, step.pool);
      return;
    }
    step.pool.parallel(
        count_, [&](int64_t t, int thread) { body(t, scratch + thread * perThread_, *alone_); });
  }

 private:
  int64_t count_, perThread_;
  bool shared_;
  std::shared_ptr<ThreadPool> alone_ = std::make_shared<ThreadPool>(1);
};

}  // namespace

Run op_modeGram(Instruction& in) {
  const Operand status = in.inputs.at(0);
  const Operand statistics = in.inputs.at(1);
  const Operand g = in.inputs.at(2);
  const Mode mode(in);
  const float decay = static_cast<float>(in.number("decay"));
  const float scale = static_cast<float>(in.number("scale"));
  if (mode.isElementwise()) {
    return [=](const Step& step) {
      if (standsStill(status.i32(step))) return;
      float* const s = statistics.f32(step);
      const float* const x = g.f32(step);
      forChunks(step.pool, mode.count, [&](int64_t begin, int64_t end, int64_t) {
        for (int64_t i = begin; i < end; ++i) s[i] = decay * s[i] + scale * x[i] * x[i];
      });
    };
  }
  const ForTensors forTensors(in, mode, [&](int threads) {
    return syrkPackedScratchFloats(mode.dim, mode.gramDepth(), threads);
  });
  return [=](const Step& step) {
    if (standsStill(status.i32(step))) return;
    forTensors(step, [&](int64_t t, float* scratch, ThreadPool& pool) {
      const float* const x = g.f32(step) + t * mode.size();
      GemmOut out{statistics.f32(step) + t * packedSize(mode.dim), 0, scale, decay};
      if (mode.isLast()) {
        syrkPacked(mode.dim, mode.outer, Matrix{x, 1, mode.dim}, out, scratch, pool);
        return;
      }
      for (int64_t o = 0; o < mode.outer; ++o) {
        const Matrix slice{x + o * mode.dim * mode.inner, mode.inner, 1};
        syrkPacked(mode.dim, mode.inner, slice, out, scratch, pool);
        out.beta = 1;
      }
    });
  };
}

Run op_modeApply(Instruction& in) {
  const Operand matrices = in.inputs.at(0);
  const Operand x = in.inputs.at(1);
  const Operand y = in.outputs.at(0);
  const Mode mode(in);
  const bool transposed = in.integer("transposed") != 0;
  if (mode.isElementwise()) {
    return [=](const Step& step) {
      const float *const p = matrices.f32(step), *const from = x.f32(step);
      float* const to = y.f32(step);
      forChunks(step.pool, mode.count, [&](int64_t begin, int64_t end, int64_t) {
        for (int64_t i = begin; i < end; ++i) to[i] = p[i] * from[i];
      });
    };
  }
  const GemmShape shape = mode.applyShape();
  const ForTensors forTensors(in, mode,
                              [&](int threads) { return gemmScratchFloats(shape, threads); });
  return [=](const Step& step) {
    forTensors(step, [&](int64_t t, float* scratch, ThreadPool& pool) {
      const Matrix given{matrices.f32(step) + t * mode.dim * mode.dim, mode.dim, 1};
      const Matrix p = transposed ? given.transposed() : given;
      const float* const from = x.f32(step) + t * mode.size();
      float* const to = y.f32(step) + t * mode.size();
      if (mode.isLast()) {  // (P Xᵀ)ᵀ = X Pᵀ
        gemm(shape, Matrix{from, mode.dim, 1}, p.transposed(), GemmOut{to, mode.dim}, scratch,
             pool);
        return;
      }
      for (int64_t o = 0; o < mode.outer; ++o) {
        const int64_t at = o * mode.dim * mode.inner;
        gemm(shape, p, Matrix{from + at, mode.inner, 1}, GemmOut{to + at, mode.inner}, scratch,
             pool);
      }
    });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
