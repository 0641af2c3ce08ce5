// What an op takes: numbers, dtypes and shapes of its operands, and attributes in their ranges. It is
// checked once, when a program is loaded, for every device; kernels trust what has passed.
#pragma once

#include <initializer_list>
#include <utility>

#include "formulas/packed.h"
#include "program/spec.h"

namespace flatmin {
namespace ops {

using formulas::packedSize;

constexpr int64_t kAny = -1;  // a dimension of any size

inline TensorType f32(std::vector<int64_t> shape = {}) { return {DType::f32, std::move(shape)}; }
inline TensorType i32(std::vector<int64_t> shape = {}) { return {DType::i32, std::move(shape)}; }
inline TensorType u8(std::vector<int64_t> shape = {}) { return {DType::u8, std::move(shape)}; }

// An instruction while it is checked. Whatever does not fit is a ProgramError that names the op.
class Signature {
 public:
  Signature(const ProgramSpec& program, const InstructionSpec& instruction)
      : program_(program), instruction_(instruction) {}

  // So many operands; `most` inputs at most.
  void takes(size_t inputs, size_t outputs) const { takes(inputs, inputs, outputs); }
  void takes(size_t least, size_t most, size_t outputs) const;
  size_t inputs() const { return instruction_.inputs.size(); }
  size_t outputs() const { return instruction_.outputs.size(); }
  // Inputs from `first` on, in groups of `width`: the number of groups.
  size_t groups(size_t first, size_t width) const;

  // Operands by number; of the types that a check of `takes` or `groups` lets one ask for.
  const TensorType& input(size_t i) const;
  const TensorType& output(size_t i) const;
  // The same, having this type; kAny in its shape matches any size.
  const TensorType& input(size_t i, const TensorType& wanted) const;
  const TensorType& output(size_t i, const TensorType& wanted) const;
  // The same, of this dtype and any shape, or also of this size.
  const TensorType& input(size_t i, DType dtype) const;
  const TensorType& input(size_t i, DType dtype, int64_t size) const;
  const TensorType& output(size_t i, DType dtype) const;
  const TensorType& output(size_t i, DType dtype, int64_t size) const;
  // The output may be written into the memory of the input. No other output has memory in common
  // with another operand.
  void inPlace(size_t input, size_t output) const { shared_.push_back({input, output}); }

  // The status block, i32 [8], and a counter, i32 [1].
  void status(size_t i) const { input(i, i32({8})); }
  void counter(size_t i) const { input(i, i32({1})); }

  bool has(const char* attribute) const { return instruction_.attrs.count(attribute) != 0; }
  double number(const char* name) const;
  void numbers(std::initializer_list<const char*> names) const;
  // Whole, and within [least, most].
  int64_t integer(const char* name, int64_t least, int64_t most) const;
  bool flag(const char* name) const { return integer(name, 0, 1) != 0; }
  void flags(std::initializer_list<const char*> names) const;
  // Columns of the parameter row.
  void slots(std::initializer_list<const char*> names) const;
  // Of so many elements.
  const std::vector<double>& list(const char* name) const;
  const std::vector<double>& list(const char* name, size_t size) const;
  // The same, whole and within [least, most].
  std::vector<int64_t> integers(const char* name, int64_t least, int64_t most) const;
  std::vector<int64_t> integers(const char* name, size_t size, int64_t least, int64_t most) const;

  // Whether outputs have the memory that inPlace() allows them.
  void verifySharing() const;

  // The product of sizes, none of which it lets overflow, zeros among them or not.
  int64_t product(std::initializer_list<int64_t> sizes) const;
  void expect(bool holds, const std::string& what) const;

 private:
  [[noreturn]] void refuse(const std::string& why) const;
  const TensorType& typeOf(const std::vector<int>& ids, size_t i, const char* side) const;
  void match(const TensorType& type, const TensorType& wanted) const;

  const ProgramSpec& program_;
  const InstructionSpec& instruction_;
  mutable std::vector<std::pair<size_t, size_t>> shared_;
};

// ProgramError unless the instruction is one that its op takes.
void check(const ProgramSpec& program, const InstructionSpec& instruction);

}  // namespace ops
}  // namespace flatmin
