// Rotary positions (src/ops/rotary.ts): a pair to a thread.
#include "cuda/base/kernels.h"
#include "cuda/base/launch.h"

namespace flatmin {
namespace cuda {

namespace {

struct Turn {
  int64_t pairs, steps, width, half;
  double base, direction;
};

__global__ void rotary(Turn turn, const float* x, const int32_t* start, float* y) {
  const int64_t ofRow = turn.width / 2;
  for (int64_t p = globalThread(); p < turn.pairs; p += globalThreads()) {
    const int64_t row = p / ofRow, head = p % ofRow / turn.half, i = p % turn.half;
    const double position = static_cast<double>(row % turn.steps) + (start ? *start : 0);
    const double angle =
        position * pow(turn.base, -static_cast<double>(i) / static_cast<double>(turn.half));
    const float cosine = static_cast<float>(cos(angle));
    const float sine = static_cast<float>(turn.direction * sin(angle));
    const int64_t at = row * turn.width + head * 2 * turn.half + i;
    const float a = x[at], b = x[at + turn.half];
    y[at] = a * cosine - b * sine;
    y[at + turn.half] = a * sine + b * cosine;
  }
}

}  // namespace

Run op_rotary(Instruction& in) {
  const Operand x = in.inputs.at(0), y = in.outputs.at(0);
  const bool started = in.inputs.size() > 1;
  const Operand start = started ? in.inputs[1] : Operand{};
  const int64_t width = x.dim(2);
  const Turn turn{x.size() / 2,      x.dim(1), width, width / in.integer("heads") / 2,
                  in.number("base"), in.number("direction")};
  return [=](const Step& step) {
    if (turn.pairs == 0) return;  // guard
    LAUNCH(rotary, blocksFor(turn.pairs), kThreads, 0, step.stream, turn, x.f32(step),
           started ? start.i32(step) : nullptr, y.f32(step));
  };
}

}  // namespace cuda
}  // namespace flatmin
