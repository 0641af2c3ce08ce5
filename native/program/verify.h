// Whether a program is whole: every kernel may trust what has passed here.
#pragma once

#include "spec.h"

namespace flatmin {

// As "f32[3, 4]".
std::string showType(const TensorType& type);

// OutOfMemory for a type of more bytes than any memory has, so that sizes never overflow.
void verifyType(const TensorType& type);

// ProgramError for places outside the arena, ids, sections, phases and slots that there are not,
// reports and a status block of another type, and for instructions that an op cannot take
// (ops/signature.h). Nothing is allocated, and no store is looked at.
void verify(const ProgramSpec& spec);

}  // namespace flatmin
