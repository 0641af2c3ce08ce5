#include "addon/parse.h"

#include "addon/errors.h"

namespace flatmin {
namespace {

DType parseDType(Napi::Env env, const std::string& name) {
  if (name == "f32") return DType::f32;
  if (name == "bf16") return DType::bf16;
  if (name == "i32") return DType::i32;
  if (name == "u8") return DType::u8;
  throw codedError(env, "FLATMIN_ARGUMENT", "unknown dtype " + name);
}

std::vector<int> parseInts(const Napi::Value& value) {
  std::vector<int> list;
  Napi::Array array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i)
    list.push_back(array.Get(i).As<Napi::Number>().Int32Value());
  return list;
}

Attrs parseAttrs(const Napi::Object& object) {
  Attrs attrs;
  Napi::Array names = object.GetPropertyNames();
  for (uint32_t i = 0; i < names.Length(); ++i) {
    const std::string name = names.Get(i).As<Napi::String>();
    Napi::Value value = object.Get(name);
    std::vector<double>& list = attrs[name];
    if (value.IsArray()) {
      Napi::Array array = value.As<Napi::Array>();
      for (uint32_t j = 0; j < array.Length(); ++j) list.push_back(array.Get(j).As<Napi::Number>());
    } else {
      list.push_back(value.As<Napi::Number>());
    }
  }
  return attrs;
}

BufferSpec parseBuffer(const Napi::Object& object) {
  BufferSpec buffer;
  buffer.type = parseType(object);
  Napi::Object place = object.Get("place").As<Napi::Object>();
  const std::string kind = place.Get("kind").As<Napi::String>();
  if (kind == "arena") {
    buffer.place = PlaceKind::arena;
    buffer.offset = place.Get("offset").As<Napi::Number>().Int64Value();
  } else {
    buffer.place = kind == "store" ? PlaceKind::store : PlaceKind::bound;
    buffer.key = place.Get("key").As<Napi::String>();
  }
  return buffer;
}

}  // namespace

TensorType parseType(const Napi::Object& object) {
  TensorType type;
  type.dtype = parseDType(object.Env(), object.Get("dtype").As<Napi::String>());
  Napi::Array shape = object.Get("shape").As<Napi::Array>();
  for (uint32_t i = 0; i < shape.Length(); ++i)
    type.shape.push_back(shape.Get(i).As<Napi::Number>().Int64Value());
  return type;
}

ProgramSpec parseSpec(const Napi::Object& object) {
  ProgramSpec spec;
  Napi::Array buffers = object.Get("buffers").As<Napi::Array>();
  for (uint32_t i = 0; i < buffers.Length(); ++i)
    spec.buffers.push_back(parseBuffer(buffers.Get(i).As<Napi::Object>()));
  Napi::Array instructions = object.Get("instructions").As<Napi::Array>();
  for (uint32_t i = 0; i < instructions.Length(); ++i) {
    Napi::Object given = instructions.Get(i).As<Napi::Object>();
    InstructionSpec instruction;
    instruction.op = given.Get("op").As<Napi::String>();
    instruction.inputs = parseInts(given.Get("inputs"));
    instruction.outputs = parseInts(given.Get("outputs"));
    instruction.attrs = parseAttrs(given.Get("attrs").As<Napi::Object>());
    instruction.section = given.Get("section").As<Napi::Number>();
    spec.instructions.push_back(std::move(instruction));
  }
  spec.arenaBytes = object.Get("arenaBytes").As<Napi::Number>().Int64Value();
  spec.slots = static_cast<int>(object.Get("slots").As<Napi::Array>().Length());
  spec.sections = static_cast<int>(object.Get("sections").As<Napi::Array>().Length());
  spec.reports = parseInts(object.Get("reports"));
  spec.status = object.Get("status").As<Napi::Number>();
  spec.phases = parseInts(object.Get("phases"));
  return spec;
}

}  // namespace flatmin
