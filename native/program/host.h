// The CPU as a device: nothing is copied, and nothing is left for later.
#pragma once

#include "device.h"

namespace flatmin {

class Host final : public Device {
 public:
  char* allocate(int64_t bytes) override;
  void release(char* data) noexcept override;
  void upload(char* to, const void* from, int64_t bytes) override;
  void download(void* to, const char* from, int64_t bytes) override;
  int64_t reserved() const override { return 0; }
  Queue* queue() override { return nullptr; }
};

}  // namespace flatmin
