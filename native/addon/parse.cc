#include "addon/parse.h"

#include <cmath>

namespace flatmin {
namespace {

constexpr int64_t kMostInt = 0x7fffffff;
constexpr int64_t kMostExact = int64_t{1} << 53;

[[noreturn]] void refuse(const char* name, const char* wanted) {
  throw ProgramError(std::string(name) + " must be " + wanted);
}

Napi::Object objectOf(const Napi::Value& value, const char* name) {
  if (!value.IsObject()) refuse(name, "an object");
  return value.As<Napi::Object>();
}

std::string textOf(const Napi::Value& value, const char* name) {
  if (!value.IsString()) refuse(name, "a string");
  return value.As<Napi::String>();
}

double numberOf(const Napi::Value& value, const char* name) {
  if (!value.IsNumber()) refuse(name, "a number");
  return value.As<Napi::Number>();
}

// each(element) of an array.
template <class Each>
void forEach(const Napi::Value& value, const char* name, Each each) {
  if (!value.IsArray()) refuse(name, "an array");
  const Napi::Array array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) each(array.Get(i));
}

uint32_t lengthOf(const Napi::Value& value, const char* name) {
  if (!value.IsArray()) refuse(name, "an array");
  return value.As<Napi::Array>().Length();
}

DType parseDType(const std::string& name) {
  if (name == "f32") return DType::f32;
  if (name == "bf16") return DType::bf16;
  if (name == "i32") return DType::i32;
  if (name == "u8") return DType::u8;
  throw ProgramError("unknown dtype " + name);
}

int parseInt(const Napi::Value& value, const char* name) {
  return static_cast<int>(parseInteger(value, -1, kMostInt, name));
}

std::vector<int> parseInts(const Napi::Value& value, const char* name) {
  std::vector<int> list;
  forEach(value, name, [&](const Napi::Value& element) { list.push_back(parseInt(element, name)); });
  return list;
}

Attrs parseAttrs(const Napi::Object& object) {
  Attrs attrs;
  forEach(object.GetPropertyNames(), "attrs", [&](const Napi::Value& key) {
    const std::string name = textOf(key, "an attribute's name");
    const Napi::Value value = object.Get(name);
    std::vector<double>& list = attrs[name];
    if (value.IsArray())
      forEach(value, name.c_str(),
              [&](const Napi::Value& v) { list.push_back(numberOf(v, name.c_str())); });
    else
      list.push_back(numberOf(value, name.c_str()));
  });
  return attrs;
}

BufferSpec parseBuffer(const Napi::Value& value) {
  BufferSpec buffer;
  buffer.type = parseType(value);
  const Napi::Object place = objectOf(objectOf(value, "a buffer").Get("place"), "a place");
  const std::string kind = textOf(place.Get("kind"), "a place's kind");
  if (kind == "arena") {
    buffer.place = PlaceKind::arena;
    buffer.offset = parseInteger(place.Get("offset"), 0, kMostExact, "an offset");
  } else if (kind == "store" || kind == "bound") {
    buffer.place = kind == "store" ? PlaceKind::store : PlaceKind::bound;
    buffer.key = textOf(place.Get("key"), "a key");
  } else {
    throw ProgramError("unknown place " + kind);
  }
  return buffer;
}

InstructionSpec parseInstruction(const Napi::Value& value) {
  const Napi::Object given = objectOf(value, "an instruction");
  InstructionSpec instruction;
  instruction.op = textOf(given.Get("op"), "an op");
  instruction.inputs = parseInts(given.Get("inputs"), "inputs");
  instruction.outputs = parseInts(given.Get("outputs"), "outputs");
  instruction.attrs = parseAttrs(objectOf(given.Get("attrs"), "attrs"));
  instruction.section = parseInt(given.Get("section"), "a section");
  return instruction;
}

}  // namespace

int64_t parseInteger(const Napi::Value& value, int64_t least, int64_t most, const char* name) {
  const double number = numberOf(value, name);
  if (!(number >= static_cast<double>(least) && number <= static_cast<double>(most) &&
        number == std::trunc(number)))
    throw ProgramError(std::string(name) + " must be a whole number from " +
                       std::to_string(least) + " to " + std::to_string(most) + ", got " +
                       std::to_string(number));
  return static_cast<int64_t>(number);
}

TensorType parseType(const Napi::Value& value) {
  const Napi::Object object = objectOf(value, "a type");
  TensorType type;
  type.dtype = parseDType(textOf(object.Get("dtype"), "a dtype"));
  forEach(object.Get("shape"), "a shape", [&](const Napi::Value& dim) {
    type.shape.push_back(parseInteger(dim, 0, kMostExact, "a dimension"));
  });
  return type;
}

ProgramSpec parseSpec(const Napi::Value& value) {
  const Napi::Object object = objectOf(value, "a program");
  ProgramSpec spec;
  forEach(object.Get("buffers"), "buffers",
          [&](const Napi::Value& v) { spec.buffers.push_back(parseBuffer(v)); });
  forEach(object.Get("instructions"), "instructions",
          [&](const Napi::Value& v) { spec.instructions.push_back(parseInstruction(v)); });
  spec.arenaBytes = parseInteger(object.Get("arenaBytes"), 0, kMostExact, "arenaBytes");
  spec.slots = static_cast<int>(lengthOf(object.Get("slots"), "slots"));
  spec.sections = static_cast<int>(lengthOf(object.Get("sections"), "sections"));
  spec.reports = parseInts(object.Get("reports"), "reports");
  spec.status = parseInt(object.Get("status"), "status");
  spec.phases = parseInts(object.Get("phases"), "phases");
  return spec;
}

}  // namespace flatmin
