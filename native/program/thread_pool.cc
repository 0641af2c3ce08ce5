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
constexpr int kSpins = 2000;  // some tens of microseconds, then sleep: an idle pool uses no core
}  // namespace

struct ThreadPool::Job {
  Call call;
  void* body;
  int64_t tasks;
  std::atomic<int64_t> next{0};
  std::atomic<int64_t> done{0};

  void drain(int thread) {
    for (int64_t task; (task = next.fetch_add(1, std::memory_order_relaxed)) < tasks;) {
      call(body, task, thread);
      done.fetch_add(1, std::memory_order_release);
    }
  }
};

ThreadPool::ThreadPool(int threads) {
  for (int thread = 1; thread < threads; ++thread)
    workers_.emplace_back([this, thread] { work(thread); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
    generation_.fetch_add(1);
  }
  wake_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void ThreadPool::run(int64_t tasks, Call call, void* body) {
  std::lock_guard<std::mutex> use(use_);
  Job job{call, body, tasks};
  {
    std::lock_guard<std::mutex> lock(mutex_);
    job_.store(&job, std::memory_order_release);
    generation_.fetch_add(1);
  }
  wake_.notify_all();
  job.drain(0);
  while (job.done.load(std::memory_order_acquire) < tasks) relax();
  // The job lives on this stack: no worker may still hold it when we leave.
  job_.store(nullptr);
  while (inside_.load() > 0) relax();
}

void ThreadPool::work(int thread) {
  uint64_t seen = 0;
  while (!stop_) {
    for (int spin = 0; spin < kSpins && generation_.load(std::memory_order_acquire) == seen; ++spin)
      relax();
    if (generation_.load() == seen) {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [&] { return generation_.load() != seen; });
    }
    seen = generation_.load();
    inside_.fetch_add(1);
    if (Job* job = job_.load()) job->drain(thread);
    inside_.fetch_sub(1);
  }
}

}  // namespace flatmin
