// Typed arrays of JavaScript as they are at this moment: whatever runs JavaScript after it, a getter
// or a Proxy's trap, may detach or shrink them.
#pragma once

#include <napi.h>

#include "program/spec.h"

namespace flatmin {

template <class T>
struct ArrayView {
  T* data;
  int64_t size;  // in elements
};

// Of a Float32Array, Float64Array, Int32Array or Uint8Array by T; `name` is for the error.
template <class T>
ArrayView<T> viewOf(const Napi::Value& value, const char* name);

// Bytes of an array of this element type, a Uint16Array for bf16; nullptr of an empty one. With
// `shared` it has to stand on a SharedArrayBuffer.
ArrayView<char> bytesOf(const Napi::Value& value, DType dtype, const char* name, bool shared);

}  // namespace flatmin
