// Where a program's memory is and its kernels run.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
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

class Queue;

class Device {
 public:
  virtual ~Device() = default;

  // Zeroed, and aligned for every vector.
  virtual char* allocate(int64_t bytes) = 0;
  virtual void release(char* data) noexcept = 0;
  // The memory at `from` is free again on return.
  virtual void upload(char* to, const void* from, int64_t bytes) = 0;
  virtual void download(void* to, const char* from, int64_t bytes) = 0;

  // Bytes that it keeps for itself.
  virtual int64_t reserved() const = 0;

  // nullptr where kernels run on the host's own memory and are done when they return.
  virtual Queue* queue() = 0;
};

// Launches that were recorded once and can be asked for again.
class Recording {
 public:
  virtual ~Recording() = default;
  virtual void replay() = 0;
};

// What a device does on its own, in the order in which it was asked for, while the host goes on.
class Queue {
 public:
  virtual ~Queue() = default;

  // What kernels are launched on.
  virtual void* stream() const = 0;

  // Memory of the host that the device reads and writes by itself.
  virtual char* pin(int64_t bytes) = 0;
  virtual void unpin(char* data) noexcept = 0;
  // Between pinned and device memory, or within the device.
  virtual void copyIn(char* to, const char* pinned, int64_t bytes) = 0;
  virtual void copyOut(char* pinned, const char* from, int64_t bytes) = 0;
  virtual void copy(char* to, const char* from, int64_t bytes) = 0;

  // What `launches` asks for, which is not run yet. It must not wait or allocate.
  virtual std::unique_ptr<Recording> record(const std::function<void()>& launches) = 0;

  // Mark number `slot` stands after all that was asked for so far; await() ends when the device is
  // there.
  virtual void mark(int slot) = 0;
  virtual void await(int slot) = 0;
  // Until all is done.
  virtual void wait() = 0;

  static constexpr int kMarks = 8;
};

}  // namespace flatmin
