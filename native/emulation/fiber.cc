#include "fiber.h"

#include <cstdint>
#include <cstdlib>

#include "races.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace flatmin {
namespace emulation {

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr size_t kStackBytes = 256 << 10;
void leaving(void** record, const void* stack, size_t size) {
  __sanitizer_start_switch_fiber(record, stack, size);
}
void arrived(void* record, const void** stack, size_t* size) {
  __sanitizer_finish_switch_fiber(record, stack, size);
}
void forget(void* stack, size_t size) { __asan_unpoison_memory_region(stack, size); }
#else
constexpr size_t kStackBytes = 64 << 10;
void leaving(void**, const void*, size_t) {}
void arrived(void*, const void**, size_t*) {}
void forget(void*, size_t) {}
#endif

thread_local Fiber* entering = nullptr;

}  // namespace

#if defined(__x86_64__)
// Saves what the System V ABI keeps over a call, and continues where `to` was saved.
extern "C" void flatminSwitchStack(void** from, void* to);
asm(R"(
.text
.local flatminSwitchStack
.type flatminSwitchStack, @function
flatminSwitchStack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size flatminSwitchStack, .-flatminSwitchStack
)");
#endif

Fiber::Fiber() : stack_(new char[kStackBytes]) {}

void Fiber::start(Entry entry, void* argument) {
  if (!ownThread_) ownThread_ = races::newThread();
  entry_ = entry;
  argument_ = argument;
  forget(stack_.get(), kStackBytes);
#if defined(__x86_64__)
  const uintptr_t top = reinterpret_cast<uintptr_t>(stack_.get() + kStackBytes) & ~uintptr_t{15};
  void** frame = reinterpret_cast<void**>(top) - 8;
  for (int i = 0; i < 6; ++i) frame[i] = nullptr;  // the registers
  frame[6] = reinterpret_cast<void*>(&Fiber::enter);
  frame[7] = nullptr;  // its return address: it has none
  here_ = frame;
#else
  getcontext(&here_);
  here_.uc_stack.ss_sp = stack_.get();
  here_.uc_stack.ss_size = kStackBytes;
  here_.uc_link = nullptr;
  makecontext(&here_, &Fiber::enter, 0);
#endif
}

void Fiber::resume() {
  entering = this;
  otherThread_ = races::thisThread();
  races::goTo(ownThread_);
  leaving(&otherRecord_, stack_.get(), kStackBytes);
#if defined(__x86_64__)
  flatminSwitchStack(&there_, here_);
#else
  swapcontext(&there_, &here_);
#endif
  arrived(otherRecord_, nullptr, nullptr);
}

void Fiber::pause() {
  races::goTo(otherThread_);
  leaving(&ownRecord_, otherStack_, otherSize_);
#if defined(__x86_64__)
  flatminSwitchStack(&here_, there_);
#else
  swapcontext(&here_, &there_);
#endif
  arrive();
}

void Fiber::leave() {
  races::goTo(otherThread_);
  leaving(nullptr, otherStack_, otherSize_);
#if defined(__x86_64__)
  flatminSwitchStack(&here_, there_);
#else
  setcontext(&there_);
#endif
  std::abort();  // resumed after it left
}

void Fiber::arrive() { arrived(ownRecord_, &otherStack_, &otherSize_); }

void Fiber::enter() {
  Fiber* const fiber = entering;
  fiber->ownRecord_ = nullptr;
  fiber->arrive();
  fiber->entry_(fiber->argument_);
  std::abort();  // an entry must not return
}

}  // namespace emulation
}  // namespace flatmin
