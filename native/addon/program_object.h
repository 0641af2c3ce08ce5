// A program as JavaScript's object `Program`.
#pragma once

#include <napi.h>

#include <memory>

#include "addon/async_run.h"
#include "addon/held_memory.h"
#include "program/program.h"

namespace flatmin {

class ProgramObject : public Napi::ObjectWrap<ProgramObject> {
 public:
  static Napi::Function define(Napi::Env env);

  // (spec: ProgramSpec, store: Store)
  explicit ProgramObject(const Napi::CallbackInfo& info);
  ~ProgramObject() override;

  // Called on the main thread when a run has ended.
  void ended() { running_ = nullptr; }

 private:
  // (rows: Float64Array, bindings: TypedArray[], phase: number, reports: Float32Array, outcome:
  // Int32Array); writes the steps done to outcome[0] and whether the status block stopped the run
  // to outcome[1]
  Napi::Value runSync(const Napi::CallbackInfo& info);
  // (rows: Float64Array, bindings: TypedArray[], phase: number, reports: Float32Array) →
  // Promise<{ steps, stopped }>
  Napi::Value run(const Napi::CallbackInfo& info);
  // (reports: Float32Array) → steps of the run in flight, whose reports are written, or undefined
  Napi::Value progress(const Napi::CallbackInfo& info);
  Napi::Value abort(const Napi::CallbackInfo& info);
  // () → undefined: gives its memory back before it is garbage; no run may follow.
  Napi::Value free(const Napi::CallbackInfo& info);
  void release();
  Store& storeOf(Napi::Env env) const;

  // The store, held for a run until it goes out of scope or is kept; a second run is an error.
  class Claim;
  // What a run is asked for, checked when no more JavaScript runs in between.
  struct Request;
  Request request(const Napi::CallbackInfo& info, bool shared);

  std::shared_ptr<Program> program_;
  HeldMemory held_;
  AsyncRun* running_ = nullptr;
};

}  // namespace flatmin
