// Rows of a table by index or of a batch, their gradient, and bytes or floats as normalised floats.
#include "cuda/base/kernels.h"
#include "cuda/base/launch.h"

namespace flatmin {
namespace cuda {

namespace {

int64_t rowWidth(const TensorType& table) {
  int64_t width = 1;
  for (size_t d = 1; d < table.shape.size(); ++d) width *= table.shape[d];
  return width;
}

// A row is `width` units; one outside the table is filled. The indices are those of a list from
// *offset on, or from its beginning.
template <class Unit>
__global__ void takeRows(int64_t rows, int64_t width, int64_t count, Unit fill, const Unit* table,
                         const int32_t* list, int64_t entries, const double* offset, Unit* y) {
  const int64_t first = offset ? static_cast<int64_t>(*offset) : 0;
  for (int64_t at = globalThread(); at < rows * width; at += globalThreads()) {
    const int64_t row = at / width;
    const int64_t entry = first + row;
    const int64_t index = entry >= 0 && entry < entries ? list[entry] : -1;
    y[at] = index >= 0 && index < count ? table[index * width + (at - row * width)] : fill;
  }
}

template <class Unit>
Run takeUnits(const Instruction& in, int64_t width, Unit fill) {
  const Operand table = in.inputs.at(0);
  const Operand list = in.inputs.at(1);
  const Operand y = in.outputs.at(0);
  const bool batch = in.attrs.count("offsetSlot") > 0;
  const int64_t offsetSlot = batch ? in.integer("offsetSlot") : 0;
  const int64_t rows = batch ? y.dim(0) : list.size();
  const int64_t count = table.dim(0);
  return [=](const Step& step) {
    if (rows * width == 0) return;  // guard
    LAUNCH(takeRows<Unit>, blocksFor(rows * width), kThreads, 0, step.stream, rows, width, count,
           fill, table.data<Unit>(step), list.i32(step), list.size(),
           batch ? step.row + offsetSlot : nullptr, y.data<Unit>(step));
  };
}

// NaN for a row outside the table, or 0 for integers; 16 bytes at a time where rows are so wide.
Run rowsOf(const Instruction& in) {
  const TensorType& table = in.inputs.at(0).type;
  const int64_t bytes = rowWidth(table) * bytesPer(table.dtype);
  const uint32_t fill = table.dtype == DType::f32 ? 0x7fc00000u : 0u;
  if (bytes % 16 == 0) return takeUnits<uint4>(in, bytes / 16, {fill, fill, fill, fill});
  if (bytes % 4 == 0) return takeUnits<uint32_t>(in, bytes / 4, fill);
  return takeUnits<uint8_t>(in, bytes, 0);
}

}  // namespace

Run op_gather(Instruction& in) { return rowsOf(in); }
Run op_batchRows(Instruction& in) { return rowsOf(in); }

namespace {

__global__ void clear(int64_t size, float* y) {
  for (int64_t i = globalThread(); i < size; i += globalThreads()) y[i] = 0;
}

// A block to a row of dy: the first with its index adds all rows that have it, in order.
__global__ void scatterAdd(int64_t rows, int64_t width, int64_t count, const float* dy,
                           const int32_t* indices, float* dtable) {
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const int64_t index = indices[row];
    int known = index < 0 || index >= count;
    for (int64_t r = threadIdx.x; r < row; r += kThreads) known |= indices[r] == index;
    if (__syncthreads_or(known)) continue;
    for (int64_t j = threadIdx.x; j < width; j += kThreads) {
      float sum = 0;
      for (int64_t r = row; r < rows; ++r)
        if (indices[r] == index) sum += dy[r * width + j];
      dtable[index * width + j] = sum;
    }
  }
}

}  // namespace

Run op_scatterAdd(Instruction& in) {
  const Operand dy = in.inputs.at(0);
  const Operand indices = in.inputs.at(1);
  const Operand dtable = in.outputs.at(0);
  const int64_t rows = indices.size();
  const int64_t width = rowWidth(dtable.type);
  return [=](const Step& step) {
    if (dtable.size() == 0) return;  // guard
    LAUNCH(clear, blocksFor(dtable.size()), kThreads, 0, step.stream, dtable.size(),
           dtable.f32(step));
    if (rows == 0) return;  // guard
    LAUNCH(scatterAdd, static_cast<unsigned>(std::min(rows, kMostBlocks)), kThreads, 0, step.stream,
           rows, width, dtable.dim(0), dy.f32(step), indices.i32(step), dtable.f32(step));
  };
}

namespace {

// y = x · scale + shift of its channel; scale and shift stand one after the other.
template <class T>
__global__ void normalise(int64_t size, int64_t plane, int64_t channels, const float* constants,
                          const T* x, float* y) {
  for (int64_t at = globalThread(); at < size; at += globalThreads()) {
    const int64_t c = channels == 1 ? 0 : at / plane % channels;
    y[at] = static_cast<float>(x[at]) * constants[c] + constants[channels + c];
  }
}

template <class T>
Run normaliseFrom(const Instruction& in) {
  const Operand x = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  int64_t plane = 1;
  for (size_t d = 2; d < x.type.shape.size(); ++d) plane *= x.type.shape[d];
  std::vector<float> list(in.list("scale").begin(), in.list("scale").end());
  list.insert(list.end(), in.list("shift").begin(), in.list("shift").end());
  const Constant<float> constants(in, list);
  return [=](const Step& step) {
    if (y.size() == 0) return;  // guard
    LAUNCH(normalise<T>, blocksFor(y.size()), kThreads, 0, step.stream, y.size(), plane,
           constants.size() / 2, constants.data(), x.data<T>(step), y.f32(step));
  };
}

}  // namespace

Run op_normalise(Instruction& in) {
  return in.inputs.at(0).type.dtype == DType::u8 ? normaliseFrom<uint8_t>(in)
                                                 : normaliseFrom<float>(in);
}

}  // namespace cuda
}  // namespace flatmin
