// Rows of a table by index or of a batch, their gradient, and bytes or floats as normalised floats.
#include <cstring>

#include "cpu/base/kernels.h"
#include "cpu/base/pieces.h"
#include "cpu/base/rows.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

int64_t rowWidth(const TensorType& table) {
  int64_t width = 1;
  for (size_t d = 1; d < table.shape.size(); ++d) width *= table.shape[d];
  return width;
}

// The indices of the rows that are taken: all of a list, or a batch of an order from a slot's
// offset on.
struct Entries {
  Operand list;
  int64_t size;
  int64_t offsetSlot = -1;
  int64_t ahead = 16;  // rows fetched ahead, since they lie anywhere: of a batch those of the next

  explicit Entries(const Instruction& in) : list(in.inputs.at(1)), size(list.size()) {
    if (in.attrs.count("offsetSlot") == 0) return;
    offsetSlot = in.integer("offsetSlot");
    ahead = in.outputs.at(0).dim(0);
  }
  int64_t offset(const Step& step) const {
    return offsetSlot < 0 ? 0 : static_cast<int64_t>(step.row[offsetSlot]);
  }
};

// A row outside the table is NaN, or 0 for integers.
template <class T, class Copy>
Run takeRows(const Instruction& in, T outside, Copy copy) {
  const Operand table = in.inputs.at(0);
  const Entries entries(in);
  const Operand y = in.outputs.at(0);
  const int64_t count = table.dim(0);
  const int64_t width = rowWidth(table.type);
  const int64_t rows = width == 0 ? 0 : y.size() / width;
  return [=](const Step& step) {
    const T* const from = table.data<T>(step);
    T* const to = y.data<T>(step);
    const auto indexAt = [size = entries.size, offset = entries.offset(step),
                          list = entries.list.i32(step)](int64_t r) -> int64_t {
      const int64_t at = offset + r;
      return at >= 0 && at < size ? list[at] : -1;
    };
    forRows(step.pool, rows, width, [=](int64_t begin, int64_t end, int64_t) {
      for (int64_t r = begin; r < end; ++r) {
        const T* const next = from + std::max<int64_t>(indexAt(r + entries.ahead), 0) * width;
        __builtin_prefetch(next);
        if (width > 1) __builtin_prefetch(next + width - 1);
        const int64_t index = indexAt(r);
        if (index >= 0 && index < count) {
          copy(to + r * width, from + index * width, width);
        } else {
          std::fill_n(to + r * width, width, outside);
        }
      }
    });
  };
}

template <class T>
Run takeIntegers(const Instruction& in) {
  if (rowWidth(in.inputs.at(0).type) == 1)  // labels
    return takeRows(in, T{0}, [](T* to, const T* from, int64_t) { *to = *from; });
  return takeRows(in, T{0}, [](T* to, const T* from, int64_t n) { std::copy_n(from, n, to); });
}

Run rowsOf(const Instruction& in) {
  const Operand table = in.inputs.at(0);
  switch (table.type.dtype) {
    case DType::f32: {
      Run run = [](const Step&) {};
      withWidth(rowWidth(table.type), [&](auto piece) {
        run = takeRows(in, __builtin_nanf(""), [](float* to, const float* from, int64_t n) {
          copyRow<decltype(piece)::value>(to, from, n);
        });
      });
      return run;
    }
    case DType::i32:
      return takeIntegers<int32_t>(in);
    case DType::bf16:
      return takeIntegers<uint16_t>(in);
    case DType::u8:
      return takeIntegers<uint8_t>(in);
  }
  __builtin_unreachable();
}

}  // namespace

Run op_gather(Instruction& in) { return rowsOf(in); }
Run op_batchRows(Instruction& in) { return rowsOf(in); }

// A task owns a range of the table's rows and reads all indices, so that equal ones are added in
// order.
Run op_scatterAdd(Instruction& in) {
  const Operand dy = in.inputs.at(0);
  const Operand indices = in.inputs.at(1);
  const Operand dtable = in.outputs.at(0);
  const int64_t count = dtable.dim(0);
  const int64_t width = rowWidth(dtable.type);
  constexpr int64_t kTasks = 16;
  const int64_t perTask = std::max((count + kTasks - 1) / kTasks, rowsPerTask(width));
  return [=](const Step& step) {
    step.pool.parallel((count + perTask - 1) / perTask, [&](int64_t task, int) {
      const int64_t first = task * perTask;
      const int64_t last = std::min(count, first + perTask);
      float* const sums = dtable.f32(step);
      std::fill(sums + first * width, sums + last * width, 0.0f);
      for (int64_t r = 0; r < indices.size(); ++r) {
        const int64_t index = indices.i32(step)[r];
        if (index < first || index >= last) continue;
        const float* const row = dy.f32(step) + r * width;
        for (int64_t j = 0; j < width; ++j) sums[index * width + j] += row[j];
      }
    });
  };
}

namespace {

// y = x · scale + shift, both written out for one period of the elements: an image, or kUniform of
// them.
template <class T>
Run normaliseFrom(const Instruction& in) {
  constexpr int64_t kUniform = 1024;
  const Operand x = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  const std::vector<double>& scales = in.list("scale");
  const std::vector<double>& shifts = in.list("shift");
  int64_t plane = kUniform;
  if (scales.size() > 1) {
    plane = 1;
    for (size_t d = 2; d < x.type.shape.size(); ++d) plane *= x.type.shape[d];
  }
  std::vector<float> scale, shift;
  for (size_t c = 0; c < scales.size(); ++c) {
    scale.insert(scale.end(), static_cast<size_t>(plane), static_cast<float>(scales[c]));
    shift.insert(shift.end(), static_cast<size_t>(plane), static_cast<float>(shifts[c]));
  }
  const int64_t period = static_cast<int64_t>(scale.size());
  return [=](const Step& step) {
    forChunks(step.pool, y.size(), [&](int64_t begin, int64_t end, int64_t) {
      for (int64_t at = begin; at < end;) {
        const int64_t phase = at % period;
        const int64_t count = std::min(end - at, period - phase);
        const T* const from = x.data<T>(step) + at;
        const float* const a = scale.data() + phase;
        const float* const b = shift.data() + phase;
        float* const to = y.f32(step) + at;
        for (int64_t i = 0; i < count; ++i) to[i] = static_cast<float>(from[i]) * a[i] + b[i];
        at += count;
      }
    });
  };
}

}  // namespace

Run op_normalise(Instruction& in) {
  return in.inputs.at(0).type.dtype == DType::u8 ? normaliseFrom<uint8_t>(in)
                                                 : normaliseFrom<float>(in);
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
