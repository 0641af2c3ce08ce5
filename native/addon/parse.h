// The executor's data, read from JavaScript's objects, which TypeScript has checked.
#pragma once

#include <napi.h>

#include "program/spec.h"

namespace flatmin {

// { dtype, shape }
TensorType parseType(const Napi::Object& object);

// ProgramSpec of src/graph/types.ts.
ProgramSpec parseSpec(const Napi::Object& object);

}  // namespace flatmin
