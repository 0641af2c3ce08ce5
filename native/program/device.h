// Where a program's memory is and its kernels run.
#pragma once

#include <cstdint>
#include <stdexcept>

namespace flatmin {

// The device that was named is not there.
struct DeviceMissing : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// The device fails: what is in its memory is lost, and its store is of no more use.
struct DeviceLost : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct OutOfMemory : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Copies and kernels run in the order in which they were asked for, perhaps later; wait() ends when
// all have.
class Device {
 public:
  virtual ~Device() = default;

  // Zeroed, and aligned for every vector.
  virtual char* allocate(int64_t bytes) = 0;
  virtual void release(char* data) noexcept = 0;
  virtual void upload(char* to, const void* from, int64_t bytes) = 0;
  virtual void download(void* to, const char* from, int64_t bytes) = 0;
  virtual void wait() = 0;

  // A step's parameter row where kernels read it, until the next step.
  virtual const double* place(const double* row, int64_t count) = 0;

  // Kernels read and write the host's own memory.
  virtual bool isHost() const = 0;
  // What kernels are launched on, nullptr on the CPU.
  virtual void* stream() const = 0;
};

}  // namespace flatmin
