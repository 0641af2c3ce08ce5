#include "addon/store_object.h"

#include "addon/errors.h"
#include "addon/parse.h"
#include "cuda/device.h"
#include "program/host.h"
#include "program/isa.h"

namespace flatmin {

Napi::Function StoreObject::define(Napi::Env env) {
  return DefineClass(
      env, "Store",
      {InstanceMethod("declare", &StoreObject::declare),
       InstanceMethod("write", &StoreObject::write), InstanceMethod("read", &StoreObject::read)});
}

StoreObject::StoreObject(const Napi::CallbackInfo& info)
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

Napi::Value StoreObject::declare(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    store->declare(info[0].As<Napi::String>(), parseType(info[1].As<Napi::Object>()));
    held_.set(store->bytes());
    return info.Env().Undefined();
  });
}

Napi::Value StoreObject::write(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    Memory& memory = idle(info);
    Napi::Uint8Array bytes = info[1].As<Napi::Uint8Array>();
    if (static_cast<int64_t>(bytes.ByteLength()) != memory.bytes())
      throw codedError(info.Env(), "FLATMIN_ARGUMENT", "write of another size than the buffer");
    store->device->upload(memory.data(), bytes.Data(), memory.bytes());
    return info.Env().Undefined();
  });
}

Napi::Value StoreObject::read(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    Memory& memory = idle(info);
    Napi::ArrayBuffer copy =
        Napi::ArrayBuffer::New(info.Env(), static_cast<size_t>(memory.bytes()));
    store->device->download(copy.Data(), memory.data(), memory.bytes());
    return copy;
  });
}

Memory& StoreObject::idle(const Napi::CallbackInfo& info) {
  if (store->busy) throw busyError(info.Env());
  return store->at(info[0].As<Napi::String>());
}

}  // namespace flatmin
