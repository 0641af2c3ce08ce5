// What the addon exports: its version, the instruction set, stores and programs, and what CUDA the
// machine offers.
#include <napi.h>

#include "addon/async_run.h"
#include "addon/program_object.h"
#include "addon/store_object.h"
#include "cuda/device/probe.h"
#include "program/isa.h"

namespace flatmin {
namespace {

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
  env.AddCleanupHook([](AddonData* d) { d->end(); }, data);
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
