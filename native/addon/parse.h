// The executor's data, read from JavaScript's objects once: what is verified afterwards is the copy,
// which no getter can change.
#pragma once

#include <napi.h>

#include "program/spec.h"

namespace flatmin {

// A whole number from `least` to `most`; ProgramError for another value.
int64_t parseInteger(const Napi::Value& value, int64_t least, int64_t most, const char* name);

// { dtype, shape }
TensorType parseType(const Napi::Value& value);

// ProgramSpec of src/graph/types.ts.
ProgramSpec parseSpec(const Napi::Value& value);

}  // namespace flatmin
