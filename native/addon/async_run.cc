#include "addon/async_run.h"

#include <cstring>

#include "addon/errors.h"
#include "addon/program_object.h"

namespace flatmin {

AsyncRun::AsyncRun(Napi::Env env, AddonData& data, Napi::Object self,
                   std::shared_ptr<Program> program, Napi::Float64Array rows, Napi::Array bindings,
                   int phase)
    : deferred(Napi::Promise::Deferred::New(env)),
      data_(data),
      self_(Napi::Persistent(self)),
      bindings_(Napi::Persistent(bindings.As<Napi::Object>())),
      phase_(phase),
      program_(std::move(program)),
      rows_(rows.Data(), rows.Data() + rows.ElementLength()),
      steps_(static_cast<int64_t>(rows.ElementLength()) / program_->rowWidth()),
      reports_(static_cast<size_t>(steps_ * program_->reportCount())),
      settle_(Napi::ThreadSafeFunction::New(
          env, Napi::Function::New(env, [](const Napi::CallbackInfo&) {}), "flatmin.run", 0, 1)) {
  data_.runs.insert(this);
  thread_ = std::thread([this] { work(); });
}

AsyncRun::~AsyncRun() {
  data_.runs.erase(this);
  self_.SuppressDestruct();
  bindings_.SuppressDestruct();
}

void AsyncRun::stopAndJoin() {
  abort = true;
  if (thread_.joinable()) thread_.join();
}

Napi::Float32Array AsyncRun::reports(Napi::Env env) const {
  const size_t count = static_cast<size_t>(done() * program_->reportCount());
  Napi::Float32Array copy = Napi::Float32Array::New(env, count);
  std::memcpy(copy.Data(), reports_.data(), count * sizeof(float));
  return copy;
}

void AsyncRun::work() {
  try {
    program_->run(rows_.data(), steps_, phase_, reports_.data(), abort, done_);
    stopped_ = program_->stopped();
  } catch (...) {
    failure_ = std::current_exception();
  }
  settle_.NonBlockingCall(this,
                          [](Napi::Env env, Napi::Function, AsyncRun* run) { run->settle(env); });
  settle_.Release();
}

void AsyncRun::settle(Napi::Env env) {
  Napi::HandleScope scope(env);
  thread_.join();
  // Not before, so that it does not depend on the thread's pace what the caller may do.
  program_->store().busy = false;
  ProgramObject::Unwrap(self_.Value())->ended();
  if (!failure_) {
    Napi::Object result = Napi::Object::New(env);
    result.Set("steps", static_cast<double>(done()));
    result.Set("reports", reports(env));
    result.Set("stopped", stopped_);
    deferred.Resolve(result);
  } else {
    try {
      std::rethrow_exception(failure_);
    } catch (...) {
      deferred.Reject(translated(env).Value());
    }
  }
  self_.Unref();
  bindings_.Reset();
  delete this;
}

}  // namespace flatmin
