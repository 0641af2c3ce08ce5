// A program as executors receive it: plain data, the C++ twin of src/graph/types.ts.
#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace flatmin {

enum class DType : uint8_t { f32, bf16, i32, u8 };

inline int64_t bytesPer(DType dtype) {
  switch (dtype) {
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::bf16:
      return 2;
    case DType::u8:
      return 1;
  }
  return 0;
}

struct TensorType {
  DType dtype = DType::f32;
  std::vector<int64_t> shape;

  int64_t size() const {
    int64_t n = 1;
    for (int64_t d : shape) n *= d;
    return n;
  }
  int64_t bytes() const { return size() * bytesPer(dtype); }
};

enum class PlaceKind : uint8_t { arena, store, bound };

struct BufferSpec {
  TensorType type;
  PlaceKind place = PlaceKind::arena;
  int64_t offset = 0;  // arena
  std::string key;     // store and bound
};

// Numbers are lists of one; texts are not used by kernels.
using Attrs = std::map<std::string, std::vector<double>>;

struct InstructionSpec {
  std::string op;
  std::vector<int> inputs, outputs;
  Attrs attrs;
  int section = 0;
};

struct ProgramSpec {
  std::vector<BufferSpec> buffers;
  std::vector<InstructionSpec> instructions;
  int64_t arenaBytes = 0;
  int slots = 0;
  int sections = 1;  // section 0 runs in every step
  std::vector<int> reports;
  int status = -1;
  std::vector<int> phases;

  int rowWidth() const { return slots + sections - 1; }
};

// Thrown for programs that an executor cannot run: a bug on the TypeScript side, never bad user
// data.
struct ProgramError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace flatmin
