// The thread pools of a process, which its stores share: the one thing that belongs to no Node
// environment. However many stores are open, or wait to be collected, threads are as many as the
// different numbers asked for need.
#pragma once

#include <memory>

#include "thread_pool.h"

namespace flatmin {

constexpr int kMostThreads = 1024;

// The pool of so many threads, which ends with the last that holds it.
std::shared_ptr<ThreadPool> sharedPool(int threads);

}  // namespace flatmin
