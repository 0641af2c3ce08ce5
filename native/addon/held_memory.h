// What an object of JavaScript holds beside the heap, told to V8 so that garbage is collected in
// time.
#pragma once

#include <napi.h>

namespace flatmin {

class HeldMemory {
 public:
  explicit HeldMemory(Napi::Env env) : env_(env) {}
  ~HeldMemory() { set(0); }
  HeldMemory(const HeldMemory&) = delete;
  HeldMemory& operator=(const HeldMemory&) = delete;

  void set(int64_t bytes) {
    Napi::MemoryManagement::AdjustExternalMemory(env_, bytes - bytes_);
    bytes_ = bytes;
  }

 private:
  Napi::Env env_;
  int64_t bytes_ = 0;
};

}  // namespace flatmin
