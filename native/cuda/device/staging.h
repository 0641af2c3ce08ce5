// Copies between pageable and device memory by way of two pinned halves: while the device copies
// one, the host fills or empties the other.
#pragma once

#include <algorithm>
#include <cstring>

#include "cuda/device/handles.h"

namespace flatmin {
namespace cuda {

class Staging {
 public:
  static constexpr size_t kBytes = 2 << 20;

  Staging() { CUDA_CHECK(cudaMallocHost(&pinned_, kBytes)); }
  ~Staging() { cudaFreeHost(pinned_); }
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  // On return `from` is free again, and the copy at its place in the stream.
  void upload(char* to, const char* from, size_t bytes, cudaStream_t stream) {
    for (size_t begin = 0; begin < bytes; begin += kHalf) {
      const size_t count = std::min(kHalf, bytes - begin);
      char* const half = next();
      std::memcpy(half, from + begin, count);
      CUDA_CHECK(cudaMemcpyAsync(to + begin, half, count, cudaMemcpyHostToDevice, stream));
      copied_[turn_].record(stream);
    }
  }

  // Returns when it is done.
  void download(char* to, const char* from, size_t bytes, cudaStream_t stream) {
    size_t asked = 0;
    for (size_t begin = 0; begin < bytes; begin += kHalf) {
      for (; asked < bytes && asked < begin + 2 * kHalf; asked += kHalf) {
        char* const half = next();
        CUDA_CHECK(cudaMemcpyAsync(half, from + asked, std::min(kHalf, bytes - asked),
                                   cudaMemcpyDeviceToHost, stream));
        copied_[turn_].record(stream);
      }
      // The half before the last one asked for, when there is a later one.
      const int turn = asked - begin > kHalf ? 1 - turn_ : turn_;
      copied_[turn].wait();
      std::memcpy(to + begin, pinned_ + static_cast<size_t>(turn) * kHalf,
                  std::min(kHalf, bytes - begin));
    }
  }

 private:
  static constexpr size_t kHalf = kBytes / 2;

  // The half whose copy was asked for before the last one, which has to be done.
  char* next() {
    turn_ = 1 - turn_;
    copied_[turn_].wait();
    return pinned_ + static_cast<size_t>(turn_) * kHalf;
  }

  Event copied_[2];
  char* pinned_ = nullptr;
  int turn_ = 0;
};

}  // namespace cuda
}  // namespace flatmin
