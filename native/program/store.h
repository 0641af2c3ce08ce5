// Named buffers that outlive a run and are shared by programs.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <unordered_map>

#include "kernel.h"
#include "memory.h"
#include "shared_pool.h"

namespace flatmin {

class Store {
 public:
  Store(KernelTable kernels, std::unique_ptr<Device> device, int threads)
      : kernels(kernels), device(std::move(device)), pool(sharedPool(threads)) {}

  void declare(const std::string& key, const TensorType& type);
  Memory& at(const std::string& key);
  // Of device memory, its programs' not counted.
  int64_t bytes() const;

  const KernelTable kernels;
  const std::unique_ptr<Device> device;
  const std::shared_ptr<ThreadPool> pool;
  // Set while a program runs: its buffers must not be touched then.
  std::atomic<bool> busy{false};

 private:
  std::unordered_map<std::string, Memory> entries_;
};

}  // namespace flatmin
