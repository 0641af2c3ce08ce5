// Views of tensors by strides (formulas/view.h), read into a tensor of their own or written from
// one, and tensors one after the other. Views that are dense along another dimension than the
// tensor's last, as transposes are, go by square tiles, so that neither side is walked across.
#include <cstring>

#include "cpu/base/kernels.h"
#include "cpu/base/rows.h"
#include "formulas/view.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

using formulas::View;

// Copies between the dense side and the view, whichever way.
template <class T>
struct ReadView {
  T* dense;
  const T* viewed;

  void one(int64_t i, int64_t at) const { dense[i] = viewed[at]; }
  void run(int64_t i, int64_t at, int64_t n) const { std::copy_n(viewed + at, n, dense + i); }
  void repeated(int64_t i, int64_t at, int64_t n) const { std::fill_n(dense + i, n, viewed[at]); }
};
template <class T>
struct WriteView {
  const T* dense;
  T* viewed;

  void one(int64_t i, int64_t at) const { viewed[at] = dense[i]; }
  void run(int64_t i, int64_t at, int64_t n) const { std::copy_n(dense + i, n, viewed + at); }
  void repeated(int64_t i, int64_t at, int64_t) const { one(i, at); }  // of one element
};

template <class Copy>
void copyByRows(const View& view, int64_t size, ThreadPool& pool, const Copy& copy) {
  const View::Dim row = view.dims[0];
  forChunks(pool, size, [&](int64_t begin, int64_t end, int64_t) {
    int64_t index = begin / row.size, column = begin - index * row.size;
    for (int64_t at = begin; at < end; ++index, column = 0) {
      const int64_t count = std::min(row.size - column, end - at);
      const int64_t from = view.at(index, 1) + column * row.stride;
      if (row.stride == 1)
        copy.run(at, from, count);
      else if (row.stride == 0)
        copy.repeated(at, from, count);
      else
        for (int64_t i = 0; i < count; ++i) copy.one(at + i, from + i * row.stride);
      at += count;
    }
  });
}

// `along` is the dimension with stride 1. Tasks are rows of tiles.
template <class Copy>
void copyByTiles(const View& view, int along, ThreadPool& pool, const Copy& copy) {
  constexpr int64_t kTile = 32;
  const View::Dim row = view.dims[0], column = view.dims[along];
  // The other dimensions, each with its stride on the dense side.
  View rest = view;
  rest.count = 0;
  int64_t dense[View::kMostDims] = {}, stride = 1, columnStride = 1, others = 1;
  for (int d = 0; d < view.count; ++d) {
    if (d == along) {
      columnStride = stride;
    } else if (d != 0) {
      rest.dims[rest.count] = view.dims[d];
      dense[rest.count++] = stride;
      others *= view.dims[d].size;
    }
    stride *= view.dims[d].size;
  }
  const int64_t tiles = (column.size + kTile - 1) / kTile;
  forRows(pool, others * tiles, kTile * row.size, [&](int64_t begin, int64_t end, int64_t) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t top = task % tiles * kTile, bottom = std::min(top + kTile, column.size);
      int64_t index = task / tiles, first = 0;
      const int64_t from = rest.at(index);
      for (int d = 0; d < rest.count; ++d) {
        first += index % rest.dims[d].size * dense[d];
        index /= rest.dims[d].size;
      }
      for (int64_t left = 0; left < row.size; left += kTile) {
        const int64_t right = std::min(left + kTile, row.size);
        for (int64_t c = top; c < bottom; ++c)
          for (int64_t r = left; r < right; ++r)
            copy.one(first + c * columnStride + r, from + c + r * row.stride);
      }
    }
  });
}

template <class Copy>
void copyView(const View& view, int64_t size, ThreadPool& pool, const Copy& copy) {
  if (view.dims[0].stride != 1 && view.dims[0].stride != 0)
    for (int d = 1; d < view.count; ++d)
      if (view.dims[d].stride == 1) return copyByTiles(view, d, pool, copy);
  copyByRows(view, size, pool, copy);
}

template <class T>
Run readView(const Instruction& in) {
  const Operand x = in.inputs.at(0), y = in.outputs.at(0);
  const View view(y.type.shape, in.list("strides"), in.integer("offset"));
  return [=](const Step& step) {
    copyView(view, y.size(), step.pool, ReadView<T>{y.data<T>(step), x.data<T>(step)});
  };
}

template <class T>
Run writeView(const Instruction& in) {
  const Operand x = in.inputs.at(0), y = in.outputs.at(0);
  const View view(x.type.shape, in.list("strides"), in.integer("offset"));
  const T value = static_cast<T>(formulas::bitsOf(x.type.dtype == DType::f32, in.number("value")));
  return [=](const Step& step) {
    T* const to = y.data<T>(step);
    if (x.size() < y.size())
      forChunks(step.pool, y.size(), [&](int64_t begin, int64_t end, int64_t) {
        std::fill(to + begin, to + end, value);
      });
    copyView(view, x.size(), step.pool, WriteView<T>{x.data<T>(step), to});
  };
}

// Every operand is written into a view of the rows.
template <class T>
Run writeBeside(const Instruction& in) {
  const std::vector<Operand> xs = in.inputs;
  const Operand y = in.outputs.at(0);
  std::vector<View> views;
  int64_t begin = 0;
  for (const Operand& x : xs) {
    views.emplace_back(x.type.shape, std::vector<double>{static_cast<double>(y.dim(1)), 1.0},
                       begin);
    begin += x.dim(1);
  }
  return [=](const Step& step) {
    for (size_t i = 0; i < xs.size(); ++i)
      copyView(views[i], xs[i].size(), step.pool,
               WriteView<T>{xs[i].data<T>(step), y.data<T>(step)});
  };
}

template <class F>
Run byUnit(const Instruction& in, F f) {
  return formulas::withUnit(bytesPer(in.inputs.at(0).type.dtype), f);
}

}  // namespace

Run op_strided(Instruction& in) {
  return byUnit(in, [&](auto unit) { return readView<decltype(unit)>(in); });
}
Run op_place(Instruction& in) {
  return byUnit(in, [&](auto unit) { return writeView<decltype(unit)>(in); });
}
Run op_concat(Instruction& in) {
  return byUnit(in, [&](auto unit) { return writeBeside<decltype(unit)>(in); });
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
