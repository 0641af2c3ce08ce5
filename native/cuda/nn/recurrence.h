// Rows of sequences through the steps of a recurrence: a launch for every step of the longest row that
// there could be, since a recorded graph knows no lengths; threads of rows that have ended write
// zeros.
#pragma once

#include "cuda/base/block.h"
#include "formulas/elementary.h"

namespace flatmin {
namespace cuda {

struct Sequences {
  int64_t batch, steps;
  const int32_t* lengths;  // of rows; null where all are whole
  bool reverse;

  Sequences(const Operand& x, const Instruction& in, size_t lengthsAt, const Step& step)
      : batch(x.dim(0)),
        steps(x.dim(1)),
        lengths(in.inputs.size() > lengthsAt ? in.inputs[lengthsAt].i32(step) : nullptr),
        reverse(in.integer("reverse") != 0) {}

  __device__ int64_t lengthOf(int64_t row) const {
    return lengths && lengths[row] < steps ? lengths[row] : steps;
  }
  __device__ bool ended(int64_t row, int64_t t) const { return t >= lengthOf(row); }
  // Where step t of a row's recurrence stands among all steps; past its end after all others.
  __device__ int64_t at(int64_t row, int64_t t) const {
    const int64_t length = lengthOf(row);
    return row * steps + (reverse && t < length ? length - 1 - t : t);
  }
};

// Of a row of a weight, the whole warp's: its product with y, which is 0 where there is none.
__device__ inline float rowTimes(const float* weight, const float* y, int64_t width) {
  double own = 0;
  for (int64_t p = laneId(); y && p < width; p += kLanes)
    own += static_cast<double>(weight[p]) * y[p];
  return static_cast<float>(warpSum(own));
}

// Of a column of a weight [rows, width], a thread's.
__device__ inline float columnTimes(const float* weight, int64_t rows, int64_t width,
                                    int64_t column, const float* x) {
  float sum = 0;
  for (int64_t k = 0; k < rows; ++k) sum += x[k] * weight[k * width + column];
  return sum;
}

__device__ inline float sigmoidOf(float x) { return formulas::sigmoid<float, uint32_t>(x); }
__device__ inline float tanhOf(float x) { return formulas::tanh<float, uint32_t>(x); }

}  // namespace cuda
}  // namespace flatmin
