#include "verify.h"

#include <algorithm>

#include "ops/signature.h"
#include "out_of_memory.h"

namespace flatmin {

namespace {

// What a slot or a phase is numbered by.
constexpr int kMostColumns = 1 << 20;

const TensorType kStatus{DType::i32, {8}};

void refuse(const std::string& why) { throw ProgramError("not a program: " + why); }

struct Range {
  int64_t begin, end;
};

// Of two operands in the arena, either the same memory or nothing in common.
void verifyOverlaps(const ProgramSpec& spec, const InstructionSpec& instruction) {
  std::vector<Range> ranges;
  for (const auto* list : {&instruction.inputs, &instruction.outputs})
    for (const int id : *list) {
      const BufferSpec& buffer = spec.buffers[static_cast<size_t>(id)];
      const int64_t bytes = buffer.type.bytes();
      if (buffer.place == PlaceKind::arena && bytes > 0)
        ranges.push_back({buffer.offset, buffer.offset + bytes});
    }
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  for (size_t i = 1; i < ranges.size(); ++i) {
    const Range &a = ranges[i - 1], &b = ranges[i];
    const bool same = a.begin == b.begin && a.end == b.end;
    if (!same && b.begin < a.end) refuse(instruction.op + " has operands that overlap");
  }
}

void verifyBuffers(const ProgramSpec& spec) {
  for (const BufferSpec& buffer : spec.buffers) {
    verifyType(buffer.type);
    if (buffer.place != PlaceKind::arena) continue;
    // Vectors are aligned as the arena is.
    if (buffer.offset < 0 || buffer.offset % 64 != 0 || buffer.offset > spec.arenaBytes ||
        buffer.type.bytes() > spec.arenaBytes - buffer.offset)
      refuse("a buffer outside the arena");
  }
}

}  // namespace

std::string showType(const TensorType& type) {
  static const char* const kNames[] = {"f32", "bf16", "i32", "u8"};
  std::string text = std::string(kNames[static_cast<size_t>(type.dtype)]) + "[";
  for (size_t d = 0; d < type.shape.size(); ++d)
    text += (d > 0 ? ", " : "") + std::to_string(type.shape[d]);
  return text + "]";
}

void verifyType(const TensorType& type) {
  constexpr double kMost = static_cast<double>(int64_t{1} << 46);
  // Zeros left out: kernels multiply parts of a shape, too.
  double bytes = static_cast<double>(bytesPer(type.dtype));
  for (const int64_t dim : type.shape) {
    if (dim < 0) refuse("a negative dimension");
    bytes *= static_cast<double>(std::max<int64_t>(dim, 1));
  }
  if (!(bytes <= kMost)) throw outOfMemory(bytes, "for " + showType(type));
}

void verify(const ProgramSpec& spec) {
  verifyBuffers(spec);
  const auto known = [&](int id) { return id >= 0 && static_cast<size_t>(id) < spec.buffers.size(); };
  if (spec.slots < 1 || spec.slots > kMostColumns || spec.sections < 1 ||
      spec.sections > kMostColumns)
    refuse("a row needs a slot and a section");
  if (spec.arenaBytes < 0) refuse("a negative arena");
  for (const int id : spec.reports) {
    if (!known(id)) refuse("a report that is no buffer");
    const TensorType& type = spec.buffers[static_cast<size_t>(id)].type;
    if (type.dtype != DType::f32 || type.size() != 1) refuse("a report is not one f32");
  }
  if (spec.status != -1) {
    if (!known(spec.status)) refuse("a status block that is no buffer");
    const TensorType& type = spec.buffers[static_cast<size_t>(spec.status)].type;
    if (type.dtype != kStatus.dtype || type.shape != kStatus.shape)
      refuse("a status block of " + showType(type));
  }
  const int count = static_cast<int>(spec.instructions.size());
  for (size_t i = 0; i < spec.phases.size(); ++i)
    if (spec.phases[i] < (i == 0 ? 0 : spec.phases[i - 1]) || spec.phases[i] > count)
      refuse("phases that do not follow each other");
  for (const InstructionSpec& instruction : spec.instructions) {
    for (const auto* list : {&instruction.inputs, &instruction.outputs})
      if (!std::all_of(list->begin(), list->end(), known)) refuse("an operand that is no buffer");
    if (instruction.section < 0 || instruction.section >= spec.sections)
      refuse("an instruction of a section that there is not");
    verifyOverlaps(spec, instruction);
    ops::check(spec, instruction);
  }
}

}  // namespace flatmin
