// A store as JavaScript's object `Store`.
#pragma once

#include <napi.h>

#include <memory>

#include "addon/held_memory.h"
#include "program/store.h"

namespace flatmin {

class StoreObject : public Napi::ObjectWrap<StoreObject> {
 public:
  static Napi::Function define(Napi::Env env);

  // (where: string, threads: number); `where` is a CUDA device as "cuda:0" or an instruction set of
  // the CPU, of which an empty one chooses the widest.
  explicit StoreObject(const Napi::CallbackInfo& info);

  // Of one of these objects; FLATMIN_ARGUMENT for any other value.
  static std::shared_ptr<Store> of(const Napi::Value& value);

 private:
  // (key, type)
  Napi::Value declare(const Napi::CallbackInfo& info);
  // (key, bytes: Uint8Array)
  Napi::Value write(const Napi::CallbackInfo& info);
  // (key, into: Uint8Array); JavaScript makes the array, since only there a lack of memory is an
  // error and not the end of the process
  Napi::Value read(const Napi::CallbackInfo& info);

  // What the key names, of a store on which nothing runs.
  Memory& idle(const Napi::CallbackInfo& info);

  std::shared_ptr<Store> store_;
  HeldMemory held_;
};

}  // namespace flatmin
