#include "ops/signature.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "ops/list.h"
#include "program/verify.h"

namespace flatmin {
namespace ops {

namespace {

constexpr int64_t kMostElements = int64_t{1} << 46;

}  // namespace

void Signature::refuse(const std::string& why) const {
  throw ProgramError("op " + instruction_.op + " " + why);
}

void Signature::expect(bool holds, const std::string& what) const {
  if (!holds) refuse("expects " + what);
}

void Signature::takes(size_t least, size_t most, size_t outputs) const {
  if (inputs() < least || inputs() > most || this->outputs() != outputs)
    refuse("takes " + std::to_string(least) +
           (most > least ? " to " + std::to_string(most) : std::string()) + " inputs and " +
           std::to_string(outputs) + " outputs, got " + std::to_string(inputs()) + " and " +
           std::to_string(this->outputs()));
}

size_t Signature::groups(size_t first, size_t width) const {
  if (inputs() < first || (inputs() - first) % width != 0)
    refuse("takes " + std::to_string(first) + " inputs and groups of " + std::to_string(width) +
           ", got " + std::to_string(inputs()));
  return (inputs() - first) / width;
}

const TensorType& Signature::typeOf(const std::vector<int>& ids, size_t i,
                                    const char* side) const {
  if (i >= ids.size()) refuse(std::string("lacks ") + side + " " + std::to_string(i));
  return program_.buffers[static_cast<size_t>(ids[i])].type;
}
const TensorType& Signature::input(size_t i) const {
  return typeOf(instruction_.inputs, i, "input");
}
const TensorType& Signature::output(size_t i) const {
  return typeOf(instruction_.outputs, i, "output");
}

void Signature::match(const TensorType& type, const TensorType& wanted) const {
  bool fits = type.dtype == wanted.dtype && type.shape.size() == wanted.shape.size();
  for (size_t d = 0; fits && d < wanted.shape.size(); ++d)
    fits = wanted.shape[d] == kAny || wanted.shape[d] == type.shape[d];
  if (!fits) refuse("expects " + showType(wanted) + ", got " + showType(type));
}
const TensorType& Signature::input(size_t i, const TensorType& wanted) const {
  match(input(i), wanted);
  return input(i);
}
const TensorType& Signature::output(size_t i, const TensorType& wanted) const {
  match(output(i), wanted);
  return output(i);
}

const TensorType& Signature::input(size_t i, DType dtype) const {
  return input(i, dtype, input(i).size());
}
const TensorType& Signature::input(size_t i, DType dtype, int64_t size) const {
  const TensorType& type = input(i);
  if (type.dtype != dtype || type.size() != size)
    refuse("expects " + showType({dtype, {size}}) + " of any rank, got " + showType(type));
  return type;
}
const TensorType& Signature::output(size_t i, DType dtype) const {
  return output(i, dtype, output(i).size());
}
const TensorType& Signature::output(size_t i, DType dtype, int64_t size) const {
  const TensorType& type = output(i);
  if (type.dtype != dtype || type.size() != size)
    refuse("expects " + showType({dtype, {size}}) + " of any rank, got " + showType(type));
  return type;
}

const std::vector<double>& Signature::list(const char* name) const {
  const auto found = instruction_.attrs.find(name);
  if (found == instruction_.attrs.end()) refuse(std::string("lacks the attribute ") + name);
  return found->second;
}
const std::vector<double>& Signature::list(const char* name, size_t size) const {
  expect(list(name).size() == size, std::to_string(size) + " numbers of " + name);
  return list(name);
}
std::vector<int64_t> Signature::integers(const char* name, int64_t least, int64_t most) const {
  std::vector<int64_t> whole;
  for (const double x : list(name)) {
    if (!(x >= static_cast<double>(least) && x <= static_cast<double>(most) && x == std::trunc(x)))
      refuse(std::string("expects ") + name + " whole, from " + std::to_string(least) + " to " +
             std::to_string(most) + ", got " + std::to_string(x));
    whole.push_back(static_cast<int64_t>(x));
  }
  return whole;
}
std::vector<int64_t> Signature::integers(const char* name, size_t size, int64_t least,
                                         int64_t most) const {
  list(name, size);
  return integers(name, least, most);
}

double Signature::number(const char* name) const { return list(name, 1)[0]; }
void Signature::numbers(std::initializer_list<const char*> names) const {
  for (const char* name : names) number(name);
}
int64_t Signature::integer(const char* name, int64_t least, int64_t most) const {
  return integers(name, 1, least, most)[0];
}
void Signature::flags(std::initializer_list<const char*> names) const {
  for (const char* name : names) flag(name);
}
void Signature::slots(std::initializer_list<const char*> names) const {
  for (const char* name : names) integer(name, 0, program_.slots - 1);
}

int64_t Signature::product(std::initializer_list<int64_t> sizes) const {
  double nonzero = 1;
  int64_t all = 1;
  for (const int64_t size : sizes) nonzero *= static_cast<double>(std::max<int64_t>(size, 1));
  if (!(nonzero <= static_cast<double>(kMostElements))) refuse("is larger than any memory");
  for (const int64_t size : sizes) all *= size;
  return all;
}

void Signature::verifySharing() const {
  const auto buffer = [&](int id) -> const BufferSpec& {
    return program_.buffers[static_cast<size_t>(id)];
  };
  const auto same = [&](int one, int other) {
    const BufferSpec &a = buffer(one), &b = buffer(other);
    if (one == other) return a.type.size() > 0;
    if (a.place != b.place || a.type.bytes() == 0 || b.type.bytes() == 0) return false;
    // verify() lets arena buffers of an instruction be one or apart.
    return a.place == PlaceKind::arena ? a.offset == b.offset : a.key == b.key;
  };
  const std::vector<int>&ins = instruction_.inputs, &outs = instruction_.outputs;
  for (size_t o = 0; o < outs.size(); ++o) {
    for (size_t i = 0; i < ins.size(); ++i)
      if (same(ins[i], outs[o]) &&
          std::find(shared_.begin(), shared_.end(), std::pair<size_t, size_t>(i, o)) ==
              shared_.end())
        refuse("writes output " + std::to_string(o) + " into its input " + std::to_string(i));
    for (size_t other = o + 1; other < outs.size(); ++other)
      if (same(outs[o], outs[other])) refuse("writes two outputs into one buffer");
  }
}

#define FLATMIN_DECLARE(name) void check_##name(const Signature& s);
FLATMIN_OPS(FLATMIN_DECLARE)
#undef FLATMIN_DECLARE

void check(const ProgramSpec& program, const InstructionSpec& instruction) {
  using Check = void (*)(const Signature&);
#define FLATMIN_ENTRY(name) {#name, check_##name},
  static const std::unordered_map<std::string, Check> kChecks{FLATMIN_OPS(FLATMIN_ENTRY)};
#undef FLATMIN_ENTRY
  const auto found = kChecks.find(instruction.op);
  if (found == kChecks.end()) throw ProgramError("op " + instruction.op + " is not known");
  const Signature signature(program, instruction);
  found->second(signature);
  signature.verifySharing();
}

}  // namespace ops
}  // namespace flatmin
