// Named buffers that outlive a run and are shared by programs.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

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

  // A program that nobody needs any more. While another runs, its memory waits: to free it is work for
  // the device, whose queue is the run's.
  void retire(std::shared_ptr<void> program) {
    if (busy) retired_.push_back(std::move(program));
  }
  // After a run; on the thread of `retire`.
  void settle() {
    busy = false;
    std::vector<std::shared_ptr<void>>().swap(retired_);
  }

 private:
  std::vector<std::shared_ptr<void>> retired_;
  std::unordered_map<std::string, Memory> entries_;
};

}  // namespace flatmin
