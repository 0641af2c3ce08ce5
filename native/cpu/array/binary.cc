// Elementwise functions of tensors, broadcast as in NumPy (formulas/broadcast.h): rows with a
// stride of 0 or 1.
#include "formulas/binary.h"
#include "cpu/base/elementwise.h"
#include "cpu/base/kernels.h"
#include "cpu/base/lanewise.h"
#include "formulas/broadcast.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

using formulas::Broadcast;

// body(first element of y, count, elements of the operands) for every row or part of one.
template <int N, class Body>
void forBroadcastRows(const Broadcast<N>& shape, int64_t size, ThreadPool& pool, Body body) {
  const auto& row = shape.dims[0];
  forChunks(pool, size, [&](int64_t begin, int64_t end, int64_t) {
    int64_t index = begin / row.size;
    int64_t column = begin - index * row.size;
    for (int64_t at = begin; at < end; ++index, column = 0) {
      const int64_t count = std::min(row.size - column, end - at);
      int64_t from[N];
      shape.locate(index, from, 1);
      for (int n = 0; n < N; ++n) from[n] += column * row.strides[n];
      body(at, count, from);
      at += count;
    }
  });
}

template <class F>
Run binary(const Instruction& in, F f) {
  const Operand a = in.inputs.at(0);
  const Operand b = in.inputs.at(1);
  const Operand y = in.outputs.at(0);
  const Broadcast<2> shape({&a.type.shape, &b.type.shape}, y.type.shape);
  return [=](const Step& step) {
    const float* const as = a.f32(step);
    const float* const bs = b.f32(step);
    float* const ys = y.f32(step);
    const auto& row = shape.dims[0];
    forBroadcastRows(shape, y.size(), step.pool,
                     [&](int64_t at, int64_t count, const int64_t (&from)[2]) {
                       const float* const p = as + from[0];
                       const float* const q = bs + from[1];
                       if (row.strides[0] == 0) {
                         const vf x = splat(*p);
                         mapRange(ys + at, q, count, [&](vf v) { return f(x, v); });
                       } else if (row.strides[1] == 0) {
                         const vf x = splat(*q);
                         mapRange(ys + at, p, count, [&](vf v) { return f(v, x); });
                       } else {
                         mapRange(ys + at, p, q, count, f);
                       }
                     });
  };
}

}  // namespace

Run op_add(Instruction& in) { return binary(in, formulas::Add{}); }
Run op_sub(Instruction& in) { return binary(in, formulas::Sub{}); }
Run op_mul(Instruction& in) { return binary(in, formulas::Mul{}); }
Run op_div(Instruction& in) { return binary(in, formulas::Div{}); }
Run op_maximum(Instruction& in) { return binary(in, formulas::Maximum{}); }
Run op_minimum(Instruction& in) { return binary(in, formulas::Minimum{}); }
Run op_greaterEqual(Instruction& in) { return binary(in, formulas::GreaterEqual{}); }
Run op_less(Instruction& in) { return binary(in, formulas::Less{}); }
Run op_equal(Instruction& in) { return binary(in, formulas::Equal{}); }
Run op_notEqual(Instruction& in) { return binary(in, formulas::NotEqual{}); }
Run op_logicalAnd(Instruction& in) { return binary(in, formulas::LogicalAnd{}); }
Run op_logicalOr(Instruction& in) { return binary(in, formulas::LogicalOr{}); }
Run op_pow(Instruction& in) { return binary(in, powOf); }

// a where the condition is not 0, b elsewhere.
Run op_where(Instruction& in) {
  const Operand condition = in.inputs.at(0), a = in.inputs.at(1), b = in.inputs.at(2);
  const Operand y = in.outputs.at(0);
  const Broadcast<3> shape({&condition.type.shape, &a.type.shape, &b.type.shape}, y.type.shape);
  return [=](const Step& step) {
    const auto& strides = shape.dims[0].strides;
    forBroadcastRows(
        shape, y.size(), step.pool, [&](int64_t at, int64_t count, const int64_t (&from)[3]) {
          const float* const p[] = {condition.f32(step) + from[0], a.f32(step) + from[1],
                                    b.f32(step) + from[2]};
          const auto choose = [&](int64_t i, auto read) {
            const auto of = [&](int n) { return strides[n] == 0 ? splat(*p[n]) : read(p[n] + i); };
            const vf yes = of(1), no = of(2);
            return of(0) != 0.0f ? yes : no;
          };
          float* const to = y.f32(step) + at;
          int64_t i = 0;
          for (; i + kLanes <= count; i += kLanes)
            store(to + i, choose(i, [](const float* x) { return load(x); }));
          const int64_t rest = count - i;
          if (rest > 0)
            storeTail(to + i, choose(i, [=](const float* x) { return loadTail(x, rest); }), rest);
        });
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
