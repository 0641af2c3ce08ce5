// Images moved and mirrored, each by draws of its own; formulas/image_move.h.
#include "cpu/base/kernels.h"
#include "cpu/base/random.h"
#include "cpu/base/rows.h"
#include "formulas/image_move.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

using formulas::ImageMove;

// A row of y from one of x, `value` where that has no column.
template <class T>
void moveRow(const T* from, T* to, int64_t width, const ImageMove& move, T value) {
  // The columns that come from within are first … last − 1.
  const int64_t shift = move.mirrored ? -move.across : move.across;
  const int64_t first = std::min(width, std::max<int64_t>(0, -shift));
  const int64_t last = std::max(first, std::min(width, width - shift));
  std::fill(to, to + first, value);
  for (int64_t j = first; j < last; ++j) to[j] = from[move.column(j, width)];
  std::fill(to + last, to + width, value);
}

template <class T>
Run moveImages(const Instruction& in) {
  const Operand x = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  const RandomSlots slots(in);
  const std::vector<double>& padding = in.list("padding");
  const formulas::Augmentation augmentation{
      static_cast<int64_t>(padding[0]), static_cast<int64_t>(padding[1]),
      formulas::uniformThreshold(in.number("flip")), in.integer("adjoint") != 0};
  const T value = static_cast<T>(in.number("value"));
  const int64_t channels = x.dim(1), height = x.dim(2), width = x.dim(3);
  return [=](const Step& step) {
    const formulas::RandomSource source = slots.at(step);
    const int64_t size = channels * height * width;
    forRows(step.pool, x.dim(0), size, [&](int64_t begin, int64_t end, int64_t) {
      for (int64_t n = begin; n < end; ++n) {
        const ImageMove move = formulas::imageMove(source, n, augmentation);
        const T* const from = x.data<T>(step) + n * size;
        T* const to = y.data<T>(step) + n * size;
        for (int64_t row = 0; row < channels * height; ++row) {
          const int64_t source = row % height + move.down;
          if (source >= 0 && source < height)
            moveRow(from + (row + move.down) * width, to + row * width, width, move, value);
          else
            std::fill_n(to + row * width, width, value);
        }
      }
    });
  };
}

}  // namespace

Run op_moveImages(Instruction& in) {
  return in.inputs.at(0).type.dtype == DType::u8 ? moveImages<uint8_t>(in) : moveImages<float>(in);
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
