// Images moved and mirrored, each by draws of its own; formulas/image_move.h. A thread to a pixel
// draws its image's move again.
#include "cuda/base/kernels.h"
#include "cuda/base/random.h"
#include "formulas/image_move.h"

namespace flatmin {
namespace cuda {

namespace {

struct ImageSize {
  int64_t channels, height, width;
};

template <class T>
__global__ void moveImages(int64_t size, ImageSize image, formulas::Augmentation augmentation,
                           RandomSlots slots, const double* row, T value, const T* x, T* y) {
  const formulas::RandomSource source = slots.at(row);
  for (int64_t at = globalThread(); at < size; at += globalThreads()) {
    const int64_t j = at % image.width, line = at / image.width, i = line % image.height;
    const formulas::ImageMove move =
        formulas::imageMove(source, line / (image.height * image.channels), augmentation);
    const int64_t r = i + move.down, c = move.column(j, image.width);
    const bool inside = r >= 0 && r < image.height && c >= 0 && c < image.width;
    y[at] = inside ? x[(line + move.down) * image.width + c] : value;
  }
}

template <class T>
Run moveImagesOf(const Instruction& in) {
  const Operand x = in.inputs.at(0);
  const Operand y = in.outputs.at(0);
  const RandomSlots slots(in);
  const std::vector<double>& padding = in.list("padding");
  const formulas::Augmentation augmentation{
      static_cast<int64_t>(padding[0]), static_cast<int64_t>(padding[1]),
      formulas::uniformThreshold(in.number("flip")), in.integer("adjoint") != 0};
  const T value = static_cast<T>(in.number("value"));
  const ImageSize image{x.dim(1), x.dim(2), x.dim(3)};
  return [=](const Step& step) {
    if (y.size() == 0) return;  // guard
    LAUNCH(moveImages<T>, blocksFor(y.size()), kThreads, 0, step.stream, y.size(), image,
           augmentation, slots, step.row, value, x.data<T>(step), y.data<T>(step));
  };
}

}  // namespace

Run op_moveImages(Instruction& in) {
  return in.inputs.at(0).type.dtype == DType::u8 ? moveImagesOf<uint8_t>(in)
                                                 : moveImagesOf<float>(in);
}

}  // namespace cuda
}  // namespace flatmin
