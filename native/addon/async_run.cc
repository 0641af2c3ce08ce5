#include "addon/async_run.h"

#include <algorithm>
#include <cstring>

#include "addon/errors.h"
#include "addon/program_object.h"

namespace flatmin {

void AddonData::end() {
  while (!runs.empty()) {
    AsyncRun* const run = *runs.begin();
    run->stopAndJoin();
    delete run;
  }
}

AsyncRun::AsyncRun(Napi::Env env, AddonData& data, Napi::Object self,
                   std::shared_ptr<Program> program, ArrayView<double> rows, int phase,
                   Napi::Object reports, const std::vector<Napi::Value>& bindings)
    : deferred(Napi::Promise::Deferred::New(env)),
      data_(data),
      self_(Napi::Persistent(self)),
      into_(Napi::Persistent(reports)),
      phase_(phase),
      program_(std::move(program)),
      rows_(rows.data, rows.data + rows.size),
      steps_(rows.size / program_->rowWidth()),
      reports_(static_cast<size_t>(steps_ * program_->reportCount())),
      settle_(Napi::ThreadSafeFunction::New(
          env, Napi::Function::New(env, [](const Napi::CallbackInfo&) {}), "flatmin.run", 0, 1)) {
  try {
    for (const Napi::Value& array : bindings)
      bindings_.push_back(Napi::Persistent(array.As<Napi::Object>()));
    thread_ = std::thread([this] { work(); });
  } catch (...) {
    settle_.Release();
    throw;
  }
  data_.runs.insert(this);
}

AsyncRun::~AsyncRun() {
  data_.runs.erase(this);
  self_.SuppressDestruct();
  into_.SuppressDestruct();
  for (Napi::ObjectReference& array : bindings_) array.SuppressDestruct();
}

void AsyncRun::stopAndJoin() {
  abort = true;
  if (thread_.joinable()) thread_.join();
  // Not before, so that it does not depend on the thread's pace what the caller may do.
  program_->store().settle();
}

int64_t AsyncRun::report(ArrayView<float> to) const {
  const int64_t width = program_->reportCount();
  int64_t steps = done_.load(std::memory_order_acquire);
  if (width > 0) steps = std::min(steps, to.size / width);
  if (steps * width > 0)
    std::memcpy(to.data, reports_.data(), static_cast<size_t>(steps * width) * sizeof(float));
  return steps;
}

void AsyncRun::work() {
  try {
    program_->run(rows_.data(), steps_, phase_, reports_.data(), abort, done_);
    stopped_ = program_->stopped();
  } catch (...) {
    failure_ = std::current_exception();
  }
  const napi_status asked = settle_.NonBlockingCall(
      this, [](Napi::Env env, Napi::Function, AsyncRun* run) { run->settle(env); });
  // An environment that ends has released it itself.
  if (asked != napi_closing) settle_.Release();
}

Napi::Value AsyncRun::result(Napi::Env env) const {
  if (failure_) std::rethrow_exception(failure_);
  Napi::Object result = Napi::Object::New(env);
  result.Set("steps", static_cast<double>(report(viewOf<float>(into_.Value(), "reports"))));
  result.Set("stopped", stopped_);
  return result;
}

void AsyncRun::settle(Napi::Env env) {
  Napi::HandleScope scope(env);
  stopAndJoin();
  ProgramObject::Unwrap(self_.Value())->ended();
  try {
    deferred.Resolve(result(env));
  } catch (...) {
    deferred.Reject(translated(env).Value());
  }
  self_.Reset();
  into_.Reset();
  for (Napi::ObjectReference& array : bindings_) array.Reset();
  delete this;
}

}  // namespace flatmin
