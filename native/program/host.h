// The CPU as a device: nothing is copied, and nothing is left for later.
#pragma once

#include "device.h"

namespace flatmin {

class Host final : public Device {
 public:
  explicit Host(bool dotsBf16) : dotsBf16(dotsBf16) {}
  char* allocate(int64_t bytes) override;
  void release(char* data) noexcept override;
  void upload(char* to, const void* from, int64_t bytes) override;
  void download(void* to, const char* from, int64_t bytes) override;
  int64_t reserved() const override { return 0; }
  Queue* queue() override { return nullptr; }

  // The instruction set multiplies pairs of bfloat16, by vdpbf16ps.
  const bool dotsBf16;
};

}  // namespace flatmin
