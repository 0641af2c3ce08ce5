// Elementwise functions of two tensors, broadcast as in NumPy: neighbouring dimensions that both
// operands walk alike are merged, so that most calls are a single row, and the rest rows with a
// stride of 0 or 1.
#include "cpu/base/elementwise.h"
#include "cpu/base/kernels.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

// y as [outer dimensions…, row]; strides in elements, 0 where an operand is repeated.
struct Broadcast {
  struct Dim {
    int64_t size, a, b;
  };
  std::vector<Dim> outer;
  Dim row{1, 1, 1};

  Broadcast(const TensorType& a, const TensorType& b, const TensorType& y) {
    int64_t strideA = 1, strideB = 1;
    std::vector<Dim> dims;  // innermost first
    for (size_t back = 1; back <= y.shape.size(); ++back) {
      const int64_t sizeA = back <= a.shape.size() ? a.shape[a.shape.size() - back] : 1;
      const int64_t sizeB = back <= b.shape.size() ? b.shape[b.shape.size() - back] : 1;
      const Dim dim{y.shape[y.shape.size() - back], sizeA == 1 ? 0 : strideA,
                    sizeB == 1 ? 0 : strideB};
      strideA *= sizeA;
      strideB *= sizeB;
      if (dim.size == 1) continue;
      Dim* inner = dims.empty() ? nullptr : &dims.back();
      if (inner && dim.a == inner->a * inner->size && dim.b == inner->b * inner->size)
        inner->size *= dim.size;
      else
        dims.push_back(dim);
    }
    if (dims.empty()) return;
    row = dims.front();
    outer.assign(dims.rbegin(), dims.rend() - 1);
  }

  // Offsets of the operands at a row.
  void locate(int64_t index, int64_t* a, int64_t* b) const {
    *a = *b = 0;
    for (size_t d = outer.size(); d-- > 0;) {
      const int64_t rest = d == 0 ? 0 : index / outer[d].size;
      const int64_t at = index - rest * outer[d].size;
      *a += at * outer[d].a;
      *b += at * outer[d].b;
      index = rest;
    }
  }
};

template <class F>
Run binary(const Instruction& in, F f) {
  const Operand a = in.inputs.at(0);
  const Operand b = in.inputs.at(1);
  const Operand y = in.outputs.at(0);
  const Broadcast shape(a.type, b.type, y.type);
  return [=](const Step& step) {
    const float* const as = a.f32(step);
    const float* const bs = b.f32(step);
    float* const ys = y.f32(step);
    const auto row = shape.row;
    forChunks(step.pool, y.size(), [&](int64_t begin, int64_t end, int64_t) {
      int64_t index = begin / row.size;
      int64_t column = begin - index * row.size;
      for (int64_t at = begin; at < end; ++index, column = 0) {
        const int64_t count = std::min(row.size - column, end - at);
        int64_t i, j;
        shape.locate(index, &i, &j);
        const float* const p = as + i + column * row.a;
        const float* const q = bs + j + column * row.b;
        if (row.a == 0) {
          const vf x = splat(*p);
          mapRange(ys + at, q, count, [&](vf v) { return f(x, v); });
        } else if (row.b == 0) {
          const vf x = splat(*q);
          mapRange(ys + at, p, count, [&](vf v) { return f(v, x); });
        } else {
          mapRange(ys + at, p, q, count, f);
        }
        at += count;
      }
    });
  };
}

}  // namespace

Run op_add(Instruction& in) {
  return binary(in, [](vf a, vf b) { return a + b; });
}
Run op_sub(Instruction& in) {
  return binary(in, [](vf a, vf b) { return a - b; });
}
Run op_mul(Instruction& in) {
  return binary(in, [](vf a, vf b) { return a * b; });
}
Run op_div(Instruction& in) {
  return binary(in, [](vf a, vf b) { return a / b; });
}
// NaN when either is.
Run op_maximum(Instruction& in) {
  return binary(in, [](vf a, vf b) { return a != a ? a : (a > b ? a : b); });
}
Run op_minimum(Instruction& in) {
  return binary(in, [](vf a, vf b) { return a != a ? a : (a < b ? a : b); });
}
Run op_greaterEqual(Instruction& in) {
  return binary(in, [](vf a, vf b) { return a >= b ? splat(1.0f) : vf{}; });
}
Run op_less(Instruction& in) {
  return binary(in, [](vf a, vf b) { return a < b ? splat(1.0f) : vf{}; });
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
