// Elementwise functions of two tensors, broadcast as in NumPy: neighbouring dimensions that both
// operands walk alike are merged, so that most calls are a plain map.
#include "cuda/base/elementwise.h"
#include "cuda/base/kernels.h"

namespace flatmin {
namespace cuda {

namespace {

constexpr int kMostDims = 6;

// y's dimensions, innermost first; strides in elements, 0 where an operand is repeated.
struct Broadcast {
  struct Dim {
    int64_t size, a, b;
  };
  int count = 0;
  Dim dims[kMostDims];

  Broadcast(const TensorType& a, const TensorType& b, const TensorType& y) {
    int64_t strideA = 1, strideB = 1;
    for (size_t back = 1; back <= y.shape.size(); ++back) {
      const int64_t sizeA = back <= a.shape.size() ? a.shape[a.shape.size() - back] : 1;
      const int64_t sizeB = back <= b.shape.size() ? b.shape[b.shape.size() - back] : 1;
      const Dim dim{y.shape[y.shape.size() - back], sizeA == 1 ? 0 : strideA,
                    sizeB == 1 ? 0 : strideB};
      strideA *= sizeA;
      strideB *= sizeB;
      if (dim.size == 1) continue;
      Dim* const inner = count == 0 ? nullptr : &dims[count - 1];
      if (inner && dim.a == inner->a * inner->size && dim.b == inner->b * inner->size) {
        inner->size *= dim.size;
      } else {
        if (count == kMostDims) throw ProgramError("broadcast over too many dimensions");
        dims[count++] = dim;
      }
    }
  }

  bool isPlain() const { return count == 0 || (count == 1 && dims[0].a == 1 && dims[0].b == 1); }
};

template <class F>
__global__ void mapBroadcast(int64_t size, Broadcast shape, F f, float* y, const float* a,
                             const float* b) {
  for (int64_t at = globalThread(); at < size; at += globalThreads()) {
    int64_t index = at, i = 0, j = 0;
    for (int d = 0; d < shape.count; ++d) {
      const int64_t rest = index / shape.dims[d].size;
      const int64_t step = index - rest * shape.dims[d].size;
      i += step * shape.dims[d].a;
      j += step * shape.dims[d].b;
      index = rest;
    }
    y[at] = f(a[i], b[j]);
  }
}

template <class F>
Run binary(const Instruction& in, F f) {
  const Operand a = in.inputs.at(0);
  const Operand b = in.inputs.at(1);
  const Operand y = in.outputs.at(0);
  const Broadcast shape(a.type, b.type, y.type);
  const int64_t size = y.size();
  if (size == 0) return [](const Step&) {};
  if (shape.isPlain()) {
    return [=](const Step& step) {
      LAUNCH(mapTwo<F>, quadBlocks(size), kThreads, 0, step.stream, size, f, y.f32(step),
             a.f32(step), b.f32(step));
    };
  }
  return [=](const Step& step) {
    LAUNCH(mapBroadcast<F>, blocksFor(size), kThreads, 0, step.stream, size, shape, f, y.f32(step),
           a.f32(step), b.f32(step));
  };
}

struct Add {
  __device__ float operator()(float a, float b) const { return a + b; }
};
struct Sub {
  __device__ float operator()(float a, float b) const { return a - b; }
};
struct Mul {
  __device__ float operator()(float a, float b) const { return a * b; }
};
struct Div {
  __device__ float operator()(float a, float b) const { return a / b; }
};
// NaN when either is.
struct Maximum {
  __device__ float operator()(float a, float b) const { return a != a ? a : (a > b ? a : b); }
};
struct Minimum {
  __device__ float operator()(float a, float b) const { return a != a ? a : (a < b ? a : b); }
};
struct GreaterEqual {
  __device__ float operator()(float a, float b) const { return a >= b ? 1.0f : 0.0f; }
};
struct Less {
  __device__ float operator()(float a, float b) const { return a < b ? 1.0f : 0.0f; }
};

}  // namespace

Run op_add(Instruction& in) { return binary(in, Add{}); }
Run op_sub(Instruction& in) { return binary(in, Sub{}); }
Run op_mul(Instruction& in) { return binary(in, Mul{}); }
Run op_div(Instruction& in) { return binary(in, Div{}); }
Run op_maximum(Instruction& in) { return binary(in, Maximum{}); }
Run op_minimum(Instruction& in) { return binary(in, Minimum{}); }
Run op_greaterEqual(Instruction& in) { return binary(in, GreaterEqual{}); }
Run op_less(Instruction& in) { return binary(in, Less{}); }

}  // namespace cuda
}  // namespace flatmin
