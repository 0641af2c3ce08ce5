// Views of tensors by strides (formulas/view.h), read into a tensor of their own or written from
// one, and tensors one after the other: a thread to an element.
#include "cuda/base/kernels.h"
#include "cuda/base/launch.h"
#include "formulas/view.h"

namespace flatmin {
namespace cuda {

namespace {

using formulas::View;

template <class T>
__global__ void readView(int64_t size, View view, const T* viewed, T* dense) {
  for (int64_t i = globalThread(); i < size; i += globalThreads()) dense[i] = viewed[view.at(i)];
}

template <class T>
__global__ void writeView(int64_t size, View view, const T* dense, T* viewed) {
  for (int64_t i = globalThread(); i < size; i += globalThreads()) viewed[view.at(i)] = dense[i];
}

template <class T>
__global__ void fillAround(int64_t size, T value, T* y) {
  for (int64_t i = globalThread(); i < size; i += globalThreads()) y[i] = value;
}

template <class T>
Run readViewOf(const Instruction& in) {
  const Operand x = in.inputs.at(0), y = in.outputs.at(0);
  const View view(y.type.shape, in.list("strides"), in.integer("offset"));
  return [=](const Step& step) {
    if (y.size() == 0) return;  // guard
    LAUNCH(readView<T>, blocksFor(y.size()), kThreads, 0, step.stream, y.size(), view,
           x.data<T>(step), y.data<T>(step));
  };
}

template <class T>
Run writeViewOf(const Instruction& in) {
  const Operand x = in.inputs.at(0), y = in.outputs.at(0);
  const View view(x.type.shape, in.list("strides"), in.integer("offset"));
  const T value = static_cast<T>(formulas::bitsOf(x.type.dtype == DType::f32, in.number("value")));
  return [=](const Step& step) {
    if (x.size() < y.size())
      LAUNCH(fillAround<T>, blocksFor(y.size()), kThreads, 0, step.stream, y.size(), value,
             y.data<T>(step));
    if (x.size() == 0) return;  // guard
    LAUNCH(writeView<T>, blocksFor(x.size()), kThreads, 0, step.stream, x.size(), view,
           x.data<T>(step), y.data<T>(step));
  };
}

template <class T>
Run writeBeside(const Instruction& in) {
  const std::vector<Operand> xs = in.inputs;
  const Operand y = in.outputs.at(0);
  return [=](const Step& step) {
    int64_t begin = 0;
    for (const Operand& x : xs) {
      const View view(x.type.shape, {static_cast<double>(y.dim(1)), 1.0}, begin);
      begin += x.dim(1);
      if (x.size() == 0) continue;  // guard
      LAUNCH(writeView<T>, blocksFor(x.size()), kThreads, 0, step.stream, x.size(), view,
             x.data<T>(step), y.data<T>(step));
    }
  };
}

template <class F>
Run byUnit(const Instruction& in, F f) {
  return formulas::withUnit(bytesPer(in.inputs.at(0).type.dtype), f);
}

}  // namespace

Run op_strided(Instruction& in) {
  return byUnit(in, [&](auto unit) { return readViewOf<decltype(unit)>(in); });
}
Run op_place(Instruction& in) {
  return byUnit(in, [&](auto unit) { return writeViewOf<decltype(unit)>(in); });
}
Run op_concat(Instruction& in) {
  return byUnit(in, [&](auto unit) { return writeBeside<decltype(unit)>(in); });
}

}  // namespace cuda
}  // namespace flatmin
