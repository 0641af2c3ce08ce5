#include "addon/store_object.h"

#include "addon/arrays.h"
#include "addon/errors.h"
#include "addon/parse.h"
#include "cuda/device/device.h"
#include "program/host.h"
#include "program/isa.h"
#include "program/verify.h"

namespace flatmin {

namespace {

// Tells these objects from those of another class.
constexpr napi_type_tag kTag = {0x6d1f8f0a5c3b4e27, 0x9b02c4de71a8f563};

}  // namespace

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
      store_ = openCuda(std::stoi(where.substr(5)));
      held_.set(store_->bytes());
      Value().Set("isa", where);
      Value().Set("threads", 1);
    } else {
      const Isa& isa = chooseIsa(where);
      const int64_t threads = parseInteger(info[1], 1, kMostThreads, "threads");
      store_ = std::make_shared<Store>(isa.kernels, std::make_unique<Host>(isa.pairUnit),
                                       static_cast<int>(threads));
      Value().Set("isa", isa.name);
      Value().Set("threads", store_->pool->threads());
    }
    Value().TypeTag(&kTag);
  });
}

std::shared_ptr<Store> StoreObject::of(const Napi::Value& value) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kTag))
    throw codedError(value.Env(), "FLATMIN_ARGUMENT", "the store must be a Store");
  return Unwrap(value.As<Napi::Object>())->store_;
}

Napi::Value StoreObject::declare(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const TensorType type = parseType(info[1]);
    verifyType(type);
    store_->declare(info[0].As<Napi::String>(), type);
    held_.set(store_->bytes());
    return info.Env().Undefined();
  });
}

Napi::Value StoreObject::write(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    Memory& memory = idle(info);
    const ArrayView<uint8_t> bytes = viewOf<uint8_t>(info[1], "what is written");
    if (bytes.size != memory.bytes())
      throw codedError(info.Env(), "FLATMIN_ARGUMENT", "write of another size than the buffer");
    store_->device->upload(memory.data(), bytes.data, memory.bytes());
    return info.Env().Undefined();
  });
}

Napi::Value StoreObject::read(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    Memory& memory = idle(info);
    const ArrayView<uint8_t> bytes = viewOf<uint8_t>(info[1], "what is read into");
    if (bytes.size != memory.bytes())
      throw codedError(info.Env(), "FLATMIN_ARGUMENT", "read of another size than the buffer");
    store_->device->download(bytes.data, memory.data(), memory.bytes());
    return info.Env().Undefined();
  });
}

Memory& StoreObject::idle(const Napi::CallbackInfo& info) {
  if (store_->busy) throw busyError(info.Env());
  return store_->at(info[0].As<Napi::String>());
}

}  // namespace flatmin
