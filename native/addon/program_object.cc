#include "addon/program_object.h"

#include "addon/errors.h"
#include "addon/parse.h"
#include "addon/store_object.h"

namespace flatmin {

Napi::Function ProgramObject::define(Napi::Env env) {
  return DefineClass(env, "Program",
                     {InstanceMethod("runSync", &ProgramObject::runSync),
                      InstanceMethod("run", &ProgramObject::run),
                      InstanceMethod("progress", &ProgramObject::progress),
                      InstanceMethod("abort", &ProgramObject::abort)});
}

ProgramObject::ProgramObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<ProgramObject>(info), held_(info.Env()) {
  guarded(info.Env(), [&] {
    StoreObject* store = StoreObject::Unwrap(info[1].As<Napi::Object>());
    program_ = std::make_shared<Program>(parseSpec(info[0].As<Napi::Object>()), store->store);
    held_.set(program_->bytes());
  });
}

Napi::Value ProgramObject::runSync(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  return guarded(env, [&] {
    Napi::Float64Array rows = info[0].As<Napi::Float64Array>();
    Napi::Array bindings = info[1].As<Napi::Array>();
    const int phase = info[2].As<Napi::Number>();
    Napi::Float32Array reports = info[3].As<Napi::Float32Array>();
    Napi::Int32Array outcome = info[4].As<Napi::Int32Array>();
    const int64_t steps = static_cast<int64_t>(rows.ElementLength()) / program_->rowWidth();
    if (phase >= program_->phases() || outcome.ElementLength() < 2 ||
        static_cast<int64_t>(reports.ElementLength()) < steps * program_->reportCount())
      throw codedError(env, "FLATMIN_ARGUMENT", "runSync with the wrong arrays");
    claim(env);
    bind(env, bindings, false);
    const std::atomic<bool> abort{false};
    std::atomic<int64_t> done{0};
    try {
      program_->run(rows.Data(), steps, phase, reports.Data(), abort, done);
      outcome[1] = program_->stopped();
    } catch (...) {
      program_->store().busy = false;
      throw;
    }
    program_->store().busy = false;
    outcome[0] = static_cast<int32_t>(done.load());
    return env.Undefined();
  });
}

Napi::Value ProgramObject::run(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    Napi::Array bindings = info[1].As<Napi::Array>();
    const int phase = info[2].As<Napi::Number>();
    if (phase >= program_->phases())
      throw codedError(env, "FLATMIN_ARGUMENT", "run() of a phase that there is not");
    claim(env);
    bind(env, bindings, true);
    running_ = new AsyncRun(env, *env.GetInstanceData<AddonData>(), info.This().As<Napi::Object>(),
                            program_, info[0].As<Napi::Float64Array>(), bindings, phase);
    return running_->deferred.Promise();
  });
}

Napi::Value ProgramObject::progress(const Napi::CallbackInfo& info) {
  if (!running_) return info.Env().Undefined();
  Napi::Object result = Napi::Object::New(info.Env());
  Napi::Float32Array reports = running_->reports(info.Env());
  const int width = program_->reportCount();
  result.Set("steps", width > 0 ? static_cast<double>(reports.ElementLength() / width)
                                : static_cast<double>(running_->done()));
  result.Set("reports", reports);
  result.Set("stopped", false);
  return result;
}

Napi::Value ProgramObject::abort(const Napi::CallbackInfo& info) {
  if (running_) running_->abort = true;
  return info.Env().Undefined();
}

void ProgramObject::claim(Napi::Env env) {
  if (program_->store().busy.exchange(true)) throw busyError(env);
}

void ProgramObject::bind(Napi::Env env, Napi::Array bindings, bool shared) {
  const auto refuse = [&](const char* why) {
    program_->store().busy = false;
    throw codedError(env, "FLATMIN_ARGUMENT", why);
  };
  if (bindings.Length() != program_->boundCount()) refuse("a run with too few or many arrays");
  for (uint32_t i = 0; i < bindings.Length(); ++i) {
    const Napi::Value array = bindings.Get(i);
    void* data = nullptr;
    napi_value buffer = nullptr;
    // Not by way of Napi::ArrayBuffer, as it may be a SharedArrayBuffer.
    napi_get_typedarray_info(env, array, nullptr, nullptr, &data, shared ? &buffer : nullptr,
                             nullptr);
    if (static_cast<int64_t>(array.As<Napi::TypedArray>().ByteLength()) != program_->boundBytes(i))
      refuse("a bound array was resized or detached");
    if (shared && Napi::Value(env, buffer).IsArrayBuffer())
      refuse("run() takes arrays on SharedArrayBuffers");
    program_->bind(i, static_cast<char*>(data));
  }
}

}  // namespace flatmin
