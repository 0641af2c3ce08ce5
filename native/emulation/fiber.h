// A call with a stack of its own, which can pause and be resumed: one CUDA thread.
#pragma once

#include <cstddef>
#include <memory>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace flatmin {
namespace emulation {

class Fiber {
 public:
  using Entry = void (*)(void* argument);

  Fiber();
  Fiber(Fiber&&) = default;

  // Makes it ready to call entry(argument); what it did before is abandoned.
  void start(Entry entry, void* argument);
  // Runs it until it pauses or leaves.
  void resume();
  // From inside: back to resume(), which may be called again.
  void pause();
  // From inside: back to resume() for good, without unwinding. An entry must not return.
  [[noreturn]] void leave();

 private:
  static void enter();
  void arrive();

  std::unique_ptr<char[]> stack_;
  Entry entry_ = nullptr;
  void* argument_ = nullptr;
#if defined(__x86_64__)
  void* here_ = nullptr;  // stack pointers of the side that waits
  void* there_ = nullptr;
#else
  ucontext_t here_, there_;
#endif
  // For AddressSanitizer: its record of each side, and the stack of the side that resumed.
  void* ownRecord_ = nullptr;
  void* otherRecord_ = nullptr;
  const void* otherStack_ = nullptr;
  size_t otherSize_ = 0;
  // For ThreadSanitizer, to which each side is a thread.
  void* ownThread_ = nullptr;
  void* otherThread_ = nullptr;
};

}  // namespace emulation
}  // namespace flatmin
