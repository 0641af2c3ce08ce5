// Named buffers that outlive a run and are shared by programs.
#pragma once

#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <unordered_map>

#include "kernel.h"

namespace flatmin {

// 64-byte aligned zeroed memory.
class Memory {
 public:
  Memory() = default;
  explicit Memory(int64_t bytes);
  char* data() const { return data_.get(); }
  int64_t bytes() const { return bytes_; }

 private:
  struct Free {
    void operator()(char* p) const { std::free(p); }
  };
  std::unique_ptr<char, Free> data_;
  int64_t bytes_ = 0;
};

class Store {
 public:
  Store(KernelTable kernels, int threads) : kernels(kernels), pool(threads) {}

  void declare(const std::string& key, const TensorType& type);
  Memory& at(const std::string& key);

  const KernelTable kernels;
  ThreadPool pool;
  // Set while a program runs: its buffers must not be touched then.
  std::atomic<bool> busy{false};

 private:
  std::unordered_map<std::string, Memory> entries_;
};

}  // namespace flatmin
