// A fixed set of threads that runs numbered tasks. Each begins with a share of its own, the same
// part of every job, so that what a task reads lies where the same thread wrote it; then it helps
// the others. So which thread runs a task is left open; what a task computes must depend on its
// number alone, and results do not depend on the number of threads.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace flatmin {

class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(task, thread) for every task in [0, tasks), 0 <= thread < threads(); returns when
  // all are done. The calling thread takes part. Must not be called from inside a task.
  template <class Body>
  void parallel(int64_t tasks, Body&& body) {
    if (tasks <= 1 || workers_.empty()) {
      for (int64_t task = 0; task < tasks; ++task) body(task, 0);
      return;
    }
    using B = std::remove_reference_t<Body>;
    run(
        tasks, [](void* b, int64_t task, int thread) { (*static_cast<B*>(b))(task, thread); },
        (void*)&body);
  }

 private:
  using Call = void (*)(void* body, int64_t task, int thread);
  void run(int64_t tasks, Call call, void* body);
  // The number of the job in the high half, the tasks that nobody has taken in the low one: a
  // worker that comes late finds nothing to take and holds nobody up.
  struct alignas(64) Share {
    std::atomic<uint64_t> ticket{0};
  };

  int64_t shareEnd(int share, int64_t tasks) const { return tasks * (share + 1) / threads(); }
  void publish(int64_t tasks);
  void drain(int share, int thread);
  void drainAll(int thread);
  void work(int thread);

  std::vector<std::thread> workers_;
  std::mutex use_;  // one job at a time: a second program works alone until it is free

  std::vector<Share> shares_;
  std::atomic<uint64_t> job_{0};
  std::atomic<Call> call_{nullptr};
  std::atomic<void*> body_{nullptr};
  std::atomic<int64_t> tasks_{0};
  std::atomic<int64_t> undone_{0};

  std::mutex mutex_;
  std::condition_variable wake_;  // workers, at a new job
  std::condition_variable done_;  // the caller, at its job's end
  std::atomic<int> asleep_{0};
  std::atomic<bool> waiting_{false};
  std::atomic<bool> stop_{false};
};

}  // namespace flatmin
