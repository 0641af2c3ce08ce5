#include "thread_pool.h"

#include <algorithm>
#include <system_error>

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

constexpr uint64_t kJob = uint64_t{1} << 32;
constexpr uint64_t kLeft = kJob - 1;
}  // namespace

ThreadPool::ThreadPool(int threads) : shares_(static_cast<size_t>(std::max(threads, 1))) {
  workers_.reserve(shares_.size());
  try {
    for (int thread = 1; thread < threads; ++thread)
      workers_.emplace_back([this, thread] { work(thread); });
  } catch (const std::system_error&) {
    // The system starts no more: those that there are do the work.
  }
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  publish(0);
  for (auto& worker : workers_) worker.join();
}

void ThreadPool::run(int64_t tasks, Call call, void* body) {
  // While the workers are at another program's job, this one goes on alone.
  std::unique_lock<std::mutex> use(use_, std::try_to_lock);
  int64_t first = 0;
  for (; !use.owns_lock() && first < tasks; use.try_lock()) call(body, first++, 0);
  if (first == tasks) return;
  struct Rest {
    Call call;
    void* body;
    int64_t first;
  } rest{call, body, first};
  tasks -= first;
  call_.store(
      [](void* of, int64_t task, int thread) {
        const Rest& r = *static_cast<Rest*>(of);
        r.call(r.body, r.first + task, thread);
      },
      std::memory_order_relaxed);
  body_.store(&rest, std::memory_order_relaxed);
  tasks_.store(tasks, std::memory_order_relaxed);
  undone_.store(tasks, std::memory_order_relaxed);
  publish(tasks);
  drainAll(0);
  auto finished = [this] { return undone_.load() == 0; };
  for (int spin = 0; spin < kSpins && !finished(); ++spin) relax();
  if (finished()) return;
  // A worker that lost its core can have ours.
  std::unique_lock<std::mutex> lock(mutex_);
  waiting_.exchange(true);  // a store might be overtaken by the next load where QEMU emulates it
  done_.wait(lock, finished);
  waiting_.store(false);
}

// Nothing is left of the last job, so nobody else changes the tickets.
void ThreadPool::publish(int64_t tasks) {
  const uint64_t job = job_.load() + 1;
  for (int share = 0; share < threads(); ++share) {
    const int64_t own = shareEnd(share, tasks) - shareEnd(share - 1, tasks);
    shares_[static_cast<size_t>(share)].ticket.store(job * kJob + static_cast<uint64_t>(own));
  }
  job_.exchange(job);  // as in run
  if (asleep_.load() == 0) return;
  { std::lock_guard<std::mutex> lock(mutex_); }
  wake_.notify_all();
}

void ThreadPool::drain(int share, int thread) {
  std::atomic<uint64_t>& ticket = shares_[static_cast<size_t>(share)].ticket;
  for (uint64_t seen = ticket.load(); (seen & kLeft) > 0;) {
    if (!ticket.compare_exchange_weak(seen, seen - 1)) continue;
    // The job stands still until this task is done.
    const int64_t end = shareEnd(share, tasks_.load(std::memory_order_relaxed));
    call_.load(std::memory_order_relaxed)(body_.load(std::memory_order_relaxed),
                                          end - static_cast<int64_t>(seen & kLeft), thread);
    if (undone_.fetch_sub(1) == 1 && waiting_.load()) {
      { std::lock_guard<std::mutex> lock(mutex_); }
      done_.notify_one();
    }
    seen = ticket.load();
  }
}

void ThreadPool::drainAll(int thread) {
  for (int i = 0; i < threads(); ++i) drain((thread + i) % threads(), thread);
}

void ThreadPool::work(int thread) {
  uint64_t seen = 0;
  auto news = [&] { return job_.load() != seen; };
  while (!stop_.load()) {
    for (int spin = 0; spin < kSpins && !news(); ++spin) relax();
    if (!news()) {
      std::unique_lock<std::mutex> lock(mutex_);
      asleep_.fetch_add(1);
      wake_.wait(lock, news);
      asleep_.fetch_sub(1);
    }
    seen = job_.load();
    drainAll(thread);
  }
}

}  // namespace flatmin
