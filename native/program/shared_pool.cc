#include "shared_pool.h"

#include <map>
#include <mutex>

namespace flatmin {

std::shared_ptr<ThreadPool> sharedPool(int threads) {
  // Never destroyed: an environment may end after them.
  static std::mutex& mutex = *new std::mutex;
  static std::map<int, std::weak_ptr<ThreadPool>>& known =
      *new std::map<int, std::weak_ptr<ThreadPool>>;
  std::lock_guard<std::mutex> lock(mutex);
  std::shared_ptr<ThreadPool> pool = known[threads].lock();
  if (!pool) known[threads] = pool = std::make_shared<ThreadPool>(threads);
  return pool;
}

}  // namespace flatmin
