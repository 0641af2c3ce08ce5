// C++ exceptions as JavaScript's, each with a stable code.
#pragma once

#include <napi.h>

#include <string>

namespace flatmin {

Napi::Error codedError(Napi::Env env, const char* code, const std::string& message);

// Of a store whose program is running.
Napi::Error busyError(Napi::Env env);

// The C++ exception that is being handled, as a JavaScript one.
Napi::Error translated(Napi::Env env);

// Runs `body`, turning C++ exceptions into JavaScript ones.
template <class Body>
auto guarded(Napi::Env env, Body body) {
  try {
    return body();
  } catch (...) {
    throw translated(env);
  }
}

}  // namespace flatmin
