#include "thread_pool.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace flatmin {

namespace {
inline void relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}
constexpr int kSpins = 2000;  // some tens of microseconds, then sleep

constexpr uint64_t kGeneration = uint64_t{1} << 32;
constexpr uint64_t kLeft = kGeneration - 1;
}  // namespace

ThreadPool::ThreadPool(int threads) {
  for (int thread = 1; thread < threads; ++thread)
    workers_.emplace_back([this, thread] { work(thread); });
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  publish(0);
  for (auto& worker : workers_) worker.join();
}

void ThreadPool::run(int64_t tasks, Call call, void* body) {
  std::lock_guard<std::mutex> use(use_);
  call_.store(call, std::memory_order_relaxed);
  body_.store(body, std::memory_order_relaxed);
  tasks_.store(tasks, std::memory_order_relaxed);
  undone_.store(tasks, std::memory_order_relaxed);
  publish(static_cast<uint64_t>(tasks));
  drain(0);
  auto finished = [this] { return undone_.load() == 0; };
  for (int spin = 0; spin < kSpins && !finished(); ++spin) relax();
  if (finished()) return;
  // A worker that lost its core can have ours.
  std::unique_lock<std::mutex> lock(mutex_);
  waiting_.store(true);
  done_.wait(lock, finished);
  waiting_.store(false);
}

// Nothing is left of the last generation, so nobody else changes the ticket.
void ThreadPool::publish(uint64_t tasks) {
  ticket_.store((ticket_.load() / kGeneration + 1) * kGeneration + tasks);
  if (asleep_.load() == 0) return;
  { std::lock_guard<std::mutex> lock(mutex_); }
  wake_.notify_all();
}

void ThreadPool::drain(int thread) {
  for (uint64_t ticket = ticket_.load(); (ticket & kLeft) > 0;) {
    if (!ticket_.compare_exchange_weak(ticket, ticket - 1)) continue;
    // The job stands still until this task is done.
    const int64_t tasks = tasks_.load(std::memory_order_relaxed);
    call_.load(std::memory_order_relaxed)(body_.load(std::memory_order_relaxed),
                                          tasks - static_cast<int64_t>(ticket & kLeft), thread);
    if (undone_.fetch_sub(1) == 1 && waiting_.load()) {
      { std::lock_guard<std::mutex> lock(mutex_); }
      done_.notify_one();
    }
    ticket = ticket_.load();
  }
}

void ThreadPool::work(int thread) {
  uint64_t seen = 0;
  auto news = [&] { return ticket_.load() / kGeneration != seen; };
  while (!stop_.load()) {
    for (int spin = 0; spin < kSpins && !news(); ++spin) relax();
    if (!news()) {
      std::unique_lock<std::mutex> lock(mutex_);
      asleep_.fetch_add(1);
      wake_.wait(lock, news);
      asleep_.fetch_sub(1);
    }
    seen = ticket_.load() / kGeneration;
    drain(thread);
  }
}

}  // namespace flatmin
