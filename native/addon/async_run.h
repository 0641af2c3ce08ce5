// One run(n) on a thread of its own. JavaScript memory is copied in before and out after.
#pragma once

#include <napi.h>

#include <atomic>
#include <exception>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "addon/arrays.h"
#include "program/program.h"

namespace flatmin {

class AsyncRun;

// What belongs to one Node environment (the main thread or a worker).
struct AddonData {
  std::set<AsyncRun*> runs;

  // Stops and deletes them: nobody can be told of them any more.
  void end();
};

// Deletes itself when it has settled its promise.
class AsyncRun {
 public:
  // `self` is the ProgramObject; the arrays of `bindings` are bound and stay alive; the Float32Array
  // `reports` is written when the run has ended. Throws std::system_error where no thread can be
  // started.
  AsyncRun(Napi::Env env, AddonData& data, Napi::Object self, std::shared_ptr<Program> program,
           ArrayView<double> rows, int phase, Napi::Object reports,
           const std::vector<Napi::Value>& bindings);
  ~AsyncRun();

  // Stops between two steps and waits for the thread.
  void stopAndJoin();

  // Copies the reports of the steps that are done to the front of `to`; returns the steps.
  int64_t report(ArrayView<float> to) const;

  Napi::Promise::Deferred deferred;
  std::atomic<bool> abort{false};

 private:
  void work();
  void settle(Napi::Env env);
  Napi::Value result(Napi::Env env) const;

  AddonData& data_;
  Napi::ObjectReference self_, into_;
  std::vector<Napi::ObjectReference> bindings_;
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
