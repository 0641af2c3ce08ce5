// Every task of every job runs once, on a thread number of its own, whoever comes late.
#include "program/thread_pool.h"

#include <chrono>
#include <cstdio>
#include <thread>

using flatmin::ThreadPool;

namespace {

int passed = 0, failed = 0;

void check(bool ok, const char* what) {
  if (ok) {
    ++passed;
    return;
  }
  ++failed;
  std::fprintf(stderr, "failed: %s\n", what);
}

// Jobs of 0 to 40 tasks; the pauses let the workers fall asleep and be caught on their way there.
bool jobs(ThreadPool& pool, int count, unsigned seed) {
  bool right = true;
  for (int job = 0; job < count; ++job) {
    seed = seed * 1664525u + 1013904223u;
    const int64_t tasks = (seed >> 16) % 41;
    std::vector<int> runs(static_cast<size_t>(tasks), 0);
    std::vector<std::atomic<int>> busy(static_cast<size_t>(pool.threads()));
    pool.parallel(tasks, [&](int64_t task, int thread) {
      if (busy[static_cast<size_t>(thread)].fetch_add(1) != 0) right = false;
      ++runs[static_cast<size_t>(task)];
      busy[static_cast<size_t>(thread)].fetch_sub(1);
    });
    for (int run : runs) right = right && run == 1;
    if (job % 50 == 0) std::this_thread::sleep_for(std::chrono::microseconds(seed % 300));
  }
  return right;
}

}  // namespace

int main() {
  for (int threads : {1, 2, 4, 7}) {
    ThreadPool pool(threads);
    check(pool.threads() == threads, "a pool has its threads");
    check(jobs(pool, 4000, 1), "one caller");
    bool first = false, second = false;
    std::thread one([&] { first = jobs(pool, 1000, 2); });
    std::thread two([&] { second = jobs(pool, 1000, 3); });
    one.join();
    two.join();
    check(first && second, "two callers in turn");
  }
  for (int i = 0; i < 200; ++i) ThreadPool pool(4);
  check(true, "pools that never worked end");
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
