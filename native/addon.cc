// The only file that knows Node-API: stores and programs as JavaScript objects, and what the
// machine offers.
#include <napi.h>

#include <set>
#include <thread>

#include "cuda/device.h"
#include "cuda/probe.h"
#include "program/host.h"
#include "program/isa.h"
#include "program/program.h"

namespace flatmin {
namespace {

class AsyncRun;

// What belongs to one Node environment (the main thread or a worker).
struct AddonData {
  std::set<AsyncRun*> runs;
};

Napi::Error codedError(Napi::Env env, const char* code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  return error;
}

DType parseDType(Napi::Env env, const std::string& name) {
  if (name == "f32") return DType::f32;
  if (name == "bf16") return DType::bf16;
  if (name == "i32") return DType::i32;
  if (name == "u8") return DType::u8;
  throw codedError(env, "FLATMIN_ARGUMENT", "unknown dtype " + name);
}

TensorType parseType(const Napi::Object& object) {
  TensorType type;
  type.dtype = parseDType(object.Env(), object.Get("dtype").As<Napi::String>());
  Napi::Array shape = object.Get("shape").As<Napi::Array>();
  for (uint32_t i = 0; i < shape.Length(); ++i)
    type.shape.push_back(shape.Get(i).As<Napi::Number>().Int64Value());
  return type;
}

std::vector<int> parseInts(const Napi::Value& value) {
  std::vector<int> list;
  Napi::Array array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i)
    list.push_back(array.Get(i).As<Napi::Number>().Int32Value());
  return list;
}

Attrs parseAttrs(const Napi::Object& object) {
  Attrs attrs;
  Napi::Array names = object.GetPropertyNames();
  for (uint32_t i = 0; i < names.Length(); ++i) {
    const std::string name = names.Get(i).As<Napi::String>();
    Napi::Value value = object.Get(name);
    std::vector<double>& list = attrs[name];
    if (value.IsArray()) {
      Napi::Array array = value.As<Napi::Array>();
      for (uint32_t j = 0; j < array.Length(); ++j) list.push_back(array.Get(j).As<Napi::Number>());
    } else {
      list.push_back(value.As<Napi::Number>());
    }
  }
  return attrs;
}

BufferSpec parseBuffer(const Napi::Object& object) {
  BufferSpec buffer;
  buffer.type = parseType(object);
  Napi::Object place = object.Get("place").As<Napi::Object>();
  const std::string kind = place.Get("kind").As<Napi::String>();
  if (kind == "arena") {
    buffer.place = PlaceKind::arena;
    buffer.offset = place.Get("offset").As<Napi::Number>().Int64Value();
  } else {
    buffer.place = kind == "store" ? PlaceKind::store : PlaceKind::bound;
    buffer.key = place.Get("key").As<Napi::String>();
  }
  return buffer;
}

ProgramSpec parseSpec(const Napi::Object& object) {
  ProgramSpec spec;
  Napi::Array buffers = object.Get("buffers").As<Napi::Array>();
  for (uint32_t i = 0; i < buffers.Length(); ++i)
    spec.buffers.push_back(parseBuffer(buffers.Get(i).As<Napi::Object>()));
  Napi::Array instructions = object.Get("instructions").As<Napi::Array>();
  for (uint32_t i = 0; i < instructions.Length(); ++i) {
    Napi::Object given = instructions.Get(i).As<Napi::Object>();
    InstructionSpec instruction;
    instruction.op = given.Get("op").As<Napi::String>();
    instruction.inputs = parseInts(given.Get("inputs"));
    instruction.outputs = parseInts(given.Get("outputs"));
    instruction.attrs = parseAttrs(given.Get("attrs").As<Napi::Object>());
    instruction.section = given.Get("section").As<Napi::Number>();
    spec.instructions.push_back(std::move(instruction));
  }
  spec.arenaBytes = object.Get("arenaBytes").As<Napi::Number>().Int64Value();
  spec.slots = static_cast<int>(object.Get("slots").As<Napi::Array>().Length());
  spec.sections = static_cast<int>(object.Get("sections").As<Napi::Array>().Length());
  spec.reports = parseInts(object.Get("reports"));
  spec.status = object.Get("status").As<Napi::Number>();
  spec.phases = parseInts(object.Get("phases"));
  return spec;
}

// The C++ exception that is being handled, as a JavaScript one.
Napi::Error translated(Napi::Env env) {
  try {
    throw;
  } catch (const Napi::Error& error) {
    return error;
  } catch (const OutOfMemory& error) {
    return codedError(env, "FLATMIN_MEMORY", error.what());
  } catch (const std::bad_alloc&) {
    return codedError(env, "FLATMIN_MEMORY",
                      "out of memory: use a smaller batch, model or dataset");
  } catch (const DeviceMissing& error) {
    return codedError(env, "FLATMIN_DEVICE", error.what());
  } catch (const DeviceLost& error) {
    return codedError(env, "FLATMIN_DEVICE_LOST", error.what());
  } catch (const std::exception& error) {
    return codedError(env, "FLATMIN_PROGRAM", error.what());
  }
}

// Runs `body`, turning C++ exceptions into JavaScript ones.
template <class Body>
auto guarded(Napi::Env env, Body body) {
  try {
    return body();
  } catch (...) {
    throw translated(env);
  }
}

// Holds the store of a running program; a second run on it is an error.
void claim(Napi::Env env, Store& store) {
  if (store.busy.exchange(true))
    throw codedError(env, "FLATMIN_BUSY",
                     "a program is running on this store; await its run() first");
}

// What an object of JavaScript holds beside the heap, told to V8 so that garbage is collected in
// time.
class HeldMemory {
 public:
  explicit HeldMemory(Napi::Env env) : env_(env) {}
  ~HeldMemory() { set(0); }
  HeldMemory(const HeldMemory&) = delete;
  HeldMemory& operator=(const HeldMemory&) = delete;

  void set(int64_t bytes) {
    Napi::MemoryManagement::AdjustExternalMemory(env_, bytes - bytes_);
    bytes_ = bytes;
  }

 private:
  Napi::Env env_;
  int64_t bytes_ = 0;
};

class StoreObject : public Napi::ObjectWrap<StoreObject> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env, "Store",
        {InstanceMethod("declare", &StoreObject::declare),
         InstanceMethod("write", &StoreObject::write), InstanceMethod("read", &StoreObject::read)});
  }

  // (where: string, threads: number); `where` is a CUDA device as "cuda:0" or an instruction set of
  // the CPU, of which an empty one chooses the widest.
  explicit StoreObject(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<StoreObject>(info), held_(info.Env()) {
    guarded(info.Env(), [&] {
      const std::string where = info[0].As<Napi::String>();
      if (where.rfind("cuda:", 0) == 0) {
        store = openCuda(std::stoi(where.substr(5)));
        held_.set(store->bytes());
        Value().Set("isa", where);
        return;
      }
      const Isa& isa = chooseIsa(where);
      store = std::make_shared<Store>(isa.kernels, std::make_unique<Host>(isa.pairUnit),
                                      info[1].As<Napi::Number>().Int32Value());
      Value().Set("isa", isa.name);
    });
  }

  std::shared_ptr<Store> store;

 private:
  Napi::Value declare(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      store->declare(info[0].As<Napi::String>(), parseType(info[1].As<Napi::Object>()));
      held_.set(store->bytes());
      return info.Env().Undefined();
    });
  }

  // (key, bytes: Uint8Array)
  Napi::Value write(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      Memory& memory = idle(info);
      Napi::Uint8Array bytes = info[1].As<Napi::Uint8Array>();
      if (static_cast<int64_t>(bytes.ByteLength()) != memory.bytes())
        throw codedError(info.Env(), "FLATMIN_ARGUMENT", "write of another size than the buffer");
      store->device->upload(memory.data(), bytes.Data(), memory.bytes());
      return info.Env().Undefined();
    });
  }

  // (key) → ArrayBuffer, a copy
  Napi::Value read(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      Memory& memory = idle(info);
      Napi::ArrayBuffer copy =
          Napi::ArrayBuffer::New(info.Env(), static_cast<size_t>(memory.bytes()));
      store->device->download(copy.Data(), memory.data(), memory.bytes());
      return copy;
    });
  }

  Memory& idle(const Napi::CallbackInfo& info) {
    if (store->busy)
      throw codedError(info.Env(), "FLATMIN_BUSY",
                       "a program is running on this store; await its run() first");
    return store->at(info[0].As<Napi::String>());
  }

  HeldMemory held_;
};

// One run(n) on a thread of its own. JavaScript memory is copied in before and out after.
class AsyncRun {
 public:
  AsyncRun(Napi::Env env, AddonData& data, Napi::Object self, std::shared_ptr<Program> program,
           Napi::Float64Array rows, Napi::Array bindings, int phase)
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

  ~AsyncRun() {
    data_.runs.erase(this);
    self_.SuppressDestruct();
    bindings_.SuppressDestruct();
  }

  // Stops between two steps and waits for the thread.
  void stopAndJoin() {
    abort = true;
    if (thread_.joinable()) thread_.join();
  }

  Napi::Float32Array reports(Napi::Env env) const {
    const size_t count =
        static_cast<size_t>(done_.load(std::memory_order_acquire) * program_->reportCount());
    Napi::Float32Array copy = Napi::Float32Array::New(env, count);
    std::memcpy(copy.Data(), reports_.data(), count * sizeof(float));
    return copy;
  }

  int64_t done() const { return done_.load(std::memory_order_acquire); }

  Napi::Promise::Deferred deferred;
  std::atomic<bool> abort{false};

 private:
  void work() {
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

class ProgramObject : public Napi::ObjectWrap<ProgramObject> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Program",
                       {InstanceMethod("runSync", &ProgramObject::runSync),
                        InstanceMethod("run", &ProgramObject::run),
                        InstanceMethod("progress", &ProgramObject::progress),
                        InstanceMethod("abort", &ProgramObject::abort)});
  }

  // (spec: ProgramSpec, store: Store)
  explicit ProgramObject(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<ProgramObject>(info), held_(info.Env()) {
    guarded(info.Env(), [&] {
      StoreObject* store = StoreObject::Unwrap(info[1].As<Napi::Object>());
      program_ = std::make_shared<Program>(parseSpec(info[0].As<Napi::Object>()), store->store);
      held_.set(program_->bytes());
    });
  }

  // Called on the main thread when a run has ended.
  void ended() { running_ = nullptr; }

 private:
  // (rows: Float64Array, bindings: TypedArray[], phase: number, reports: Float32Array, outcome:
  // Int32Array); writes the steps done to outcome[0] and whether the status block stopped the run
  // to outcome[1]
  Napi::Value runSync(const Napi::CallbackInfo& info) {
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
      claim(env, program_->store());
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

  // Of a store that is claimed, and given back when the arrays are wrong.
  void bind(Napi::Env env, Napi::Array bindings, bool shared) {
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
      if (static_cast<int64_t>(array.As<Napi::TypedArray>().ByteLength()) !=
          program_->boundBytes(i))
        refuse("a bound array was resized or detached");
      if (shared && Napi::Value(env, buffer).IsArrayBuffer())
        refuse("run() takes arrays on SharedArrayBuffers");
      program_->bind(i, static_cast<char*>(data));
    }
  }

  // (rows: Float64Array, bindings: TypedArray[], phase: number) → Promise<{ steps, reports,
  // stopped }>
  Napi::Value run(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    return guarded(env, [&]() -> Napi::Value {
      Napi::Array bindings = info[1].As<Napi::Array>();
      const int phase = info[2].As<Napi::Number>();
      if (phase >= program_->phases())
        throw codedError(env, "FLATMIN_ARGUMENT", "run() of a phase that there is not");
      claim(env, program_->store());
      bind(env, bindings, true);
      running_ =
          new AsyncRun(env, *env.GetInstanceData<AddonData>(), info.This().As<Napi::Object>(),
                       program_, info[0].As<Napi::Float64Array>(), bindings, phase);
      return running_->deferred.Promise();
    });
  }

  // () → { steps, reports, stopped } of the run in flight, or undefined
  Napi::Value progress(const Napi::CallbackInfo& info) {
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

  Napi::Value abort(const Napi::CallbackInfo& info) {
    if (running_) running_->abort = true;
    return info.Env().Undefined();
  }

  std::shared_ptr<Program> program_;
  HeldMemory held_;
  AsyncRun* running_ = nullptr;
};

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

Napi::Object describeCuda(Napi::Env env) {
  const CudaReport probe = probeCuda();
  Napi::Object object = Napi::Object::New(env);
  auto text = [&](const std::string& s) -> Napi::Value {
    return s.empty() ? env.Null() : Napi::Value(Napi::String::New(env, s));
  };
  object.Set("compiled", probe.compiled);
  object.Set("toolkit", text(probe.toolkit));
  object.Set("driver", text(probe.driver));
  object.Set("reason", text(probe.reason));
  Napi::Array devices = Napi::Array::New(env);
  for (const CudaDevice& device : probe.devices) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("name", device.name);
    entry.Set("memory", static_cast<double>(device.memory));
    entry.Set("capability", device.capability);
    devices.Set(devices.Length(), entry);
  }
  object.Set("devices", devices);
  const BlasReport blas = probeBlas();
  object.Set("blas", text(blas.path));
  object.Set("blasReason", text(blas.reason));
  return object;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  AddonData* data = new AddonData;
  env.SetInstanceData(data);
  env.AddCleanupHook(
      [](AddonData* d) {
        for (AsyncRun* run : d->runs) run->stopAndJoin();
      },
      data);
  exports.Set("version", FLATMIN_VERSION);
  exports.Set("isa", chooseIsa("").name);
  exports.Set("Store", StoreObject::define(env));
  exports.Set("Program", ProgramObject::define(env));
  exports.DefineProperty(Napi::PropertyDescriptor::Accessor(
      env, exports, "cuda",
      [](const Napi::CallbackInfo& info) -> Napi::Value { return describeCuda(info.Env()); },
      napi_enumerable));
  return exports;
}

}  // namespace
}  // namespace flatmin

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
  return flatmin::init(env, exports);
}
NODE_API_MODULE(flatmin, Init)
