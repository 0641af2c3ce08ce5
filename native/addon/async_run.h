// One run(n) on a thread of its own. JavaScript memory is copied in before and out after.
#pragma once

#include <napi.h>

#include <atomic>
#include <exception>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "program/program.h"

namespace flatmin {

class AsyncRun;

// What belongs to one Node environment (the main thread or a worker).
struct AddonData {
  std::set<AsyncRun*> runs;
};

// Deletes itself when it has settled its promise.
class AsyncRun {
 public:
  // `self` is the ProgramObject; the arrays of `bindings` are bound and stay alive.
  AsyncRun(Napi::Env env, AddonData& data, Napi::Object self, std::shared_ptr<Program> program,
           Napi::Float64Array rows, Napi::Array bindings, int phase);
  ~AsyncRun();

  // Stops between two steps and waits for the thread.
  void stopAndJoin();

  // Of the steps that are done.
  Napi::Float32Array reports(Napi::Env env) const;
  int64_t done() const { return done_.load(std::memory_order_acquire); }

  Napi::Promise::Deferred deferred;
  std::atomic<bool> abort{false};

 private:
  void work();
  void settle(Napi::Env env);

  AddonData& data_;
  Napi::ObjectReference self_, bindings_;
  const int phase_;
  std::shared_ptr<Program> program_;
  const std::vector<double> rows_;
  const int64_t steps_;
  std::vector<float> reports_;
  std::atomic<int64_t> done_{0};
  std::exception_ptr failure_;
  bool stopped_ = false;
  Napi::ThreadSafeFunction settle_;
  std::thread thread_;
};

}  // namespace flatmin
