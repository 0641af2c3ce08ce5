// The CPU as a device: nothing is copied, and nothing is left for later.
#pragma once

#include "device.h"

namespace flatmin {

// What a processor multiplies pairs of bfloat16 by: nothing, vdpbf16ps, or also AMX's tiles.
enum class PairUnit { none, vectors, tiles };

class Host final : public Device {
 public:
  explicit Host(PairUnit pairUnit) : pairUnit(pairUnit) {}
  char* allocate(int64_t bytes) override;
  void release(char* data) noexcept override;
  void upload(char* to, const void* from, int64_t bytes) override;
  void download(void* to, const char* from, int64_t bytes) override;
  int64_t reserved() const override { return 0; }
  Queue* queue() override { return nullptr; }

  const PairUnit pairUnit;
};

}  // namespace flatmin
