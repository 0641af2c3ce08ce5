#include "addon/program_object.h"

#include "addon/arrays.h"
#include "addon/errors.h"
#include "addon/parse.h"
#include "addon/store_object.h"

namespace flatmin {

Napi::Function ProgramObject::define(Napi::Env env) {
  return DefineClass(env, "Program",
                     {InstanceMethod("runSync", &ProgramObject::runSync),
                      InstanceMethod("run", &ProgramObject::run),
                      InstanceMethod("progress", &ProgramObject::progress),
                      InstanceMethod("abort", &ProgramObject::abort),
                      InstanceMethod("free", &ProgramObject::free)});
}

ProgramObject::ProgramObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<ProgramObject>(info), held_(info.Env()) {
  guarded(info.Env(), [&] {
    std::shared_ptr<Store> store = StoreObject::of(info[1]);
    program_ = std::make_shared<Program>(parseSpec(info[0]), std::move(store));
    held_.set(program_->bytes());
  });
}

ProgramObject::~ProgramObject() { release(); }

void ProgramObject::release() {
  if (!program_) return;  // guard
  const std::shared_ptr<Program> program = std::move(program_);
  program->store().retire(program);
  held_.set(0);
}

Store& ProgramObject::storeOf(Napi::Env env) const {
  if (!program_) throw codedError(env, "FLATMIN_ARGUMENT", "a run of a program that was freed");
  return program_->store();
}

class ProgramObject::Claim {
 public:
  Claim(Napi::Env env, Store& store) : store_(store) {
    if (store.busy.exchange(true)) throw busyError(env);
  }
  ~Claim() {
    if (!kept_) store_.settle();
  }
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;
  void keep() { kept_ = true; }

 private:
  Store& store_;
  bool kept_ = false;
};

struct ProgramObject::Request {
  ArrayView<double> rows;
  ArrayView<float> reports;
  int64_t steps;
  int phase;
  std::vector<Napi::Value> bindings;
};

ProgramObject::Request ProgramObject::request(const Napi::CallbackInfo& info, bool shared) {
  Napi::Env env = info.Env();
  const auto refuse = [&](const char* why) { throw codedError(env, "FLATMIN_ARGUMENT", why); };
  if (!info[1].IsArray() || !info[2].IsNumber()) refuse("a run without its arrays or phase");
  // Getters run here, and nothing is looked at before.
  const Napi::Array list = info[1].As<Napi::Array>();
  if (list.Length() != program_->boundCount()) refuse("a run with too few or many arrays");
  std::vector<Napi::Value> bindings;
  for (size_t i = 0; i < program_->boundCount(); ++i)
    bindings.push_back(list.Get(static_cast<uint32_t>(i)));

  const double phase = info[2].As<Napi::Number>();
  if (!(phase >= -1 && phase < program_->phases() && phase == static_cast<int>(phase)))
    refuse("a run of a phase that there is not");
  Request request{viewOf<double>(info[0], "rows"), viewOf<float>(info[3], "reports"), 0,
                  static_cast<int>(phase), {}};
  request.steps = request.rows.size / program_->rowWidth();
  if (request.rows.size % program_->rowWidth() != 0) refuse("a run with a part of a row");
  if (request.reports.size < request.steps * program_->reportCount())
    refuse("a run with too little room for its reports");
  for (size_t i = 0; i < bindings.size(); ++i) {
    const TensorType& type = program_->boundType(i);
    const ArrayView<char> bytes = bytesOf(bindings[i], type.dtype, "a bound array", shared);
    if (bytes.size != type.bytes()) refuse("a bound array was resized or detached");
    program_->bind(i, bytes.data);
  }
  request.bindings = std::move(bindings);
  return request;
}

Napi::Value ProgramObject::runSync(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  return guarded(env, [&] {
    Claim claim(env, storeOf(env));
    const Request asked = request(info, false);
    const ArrayView<int32_t> outcome = viewOf<int32_t>(info[4], "outcome");
    if (outcome.size < 2) throw codedError(env, "FLATMIN_ARGUMENT", "outcome must hold two words");
    const std::atomic<bool> abort{false};
    std::atomic<int64_t> done{0};
    program_->run(asked.rows.data, asked.steps, asked.phase, asked.reports.data, abort, done);
    outcome.data[1] = program_->stopped();
    outcome.data[0] = static_cast<int32_t>(done.load());
    return env.Undefined();
  });
}

Napi::Value ProgramObject::run(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    Claim claim(env, storeOf(env));
    const Request asked = request(info, true);
    running_ =
        new AsyncRun(env, *env.GetInstanceData<AddonData>(), info.This().As<Napi::Object>(),
                     program_, asked.rows, asked.phase, info[3].As<Napi::Object>(), asked.bindings);
    claim.keep();
    return running_->deferred.Promise();
  });
}

Napi::Value ProgramObject::progress(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    if (!running_) return info.Env().Undefined();
    return Napi::Number::New(
        info.Env(), static_cast<double>(running_->report(viewOf<float>(info[0], "reports"))));
  });
}

Napi::Value ProgramObject::abort(const Napi::CallbackInfo& info) {
  if (running_) running_->abort = true;
  return info.Env().Undefined();
}

Napi::Value ProgramObject::free(const Napi::CallbackInfo& info) {
  // A run may be in the midst of calling a getter: then it is left to become garbage.
  if (program_ && !program_->store().busy) release();
  return info.Env().Undefined();
}

}  // namespace flatmin
