// What a kernel sees: its instruction when it is prepared, the buffers and the parameter row in
// every step.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "device.h"
#include "spec.h"
#include "thread_pool.h"

namespace flatmin {

struct Step {
  char* const* buffers;  // by buffer id
  char* const* table;    // the same list in the device's memory
  const double* row;     // slots' values, in the device's memory
  char* scratch;         // as many bytes as the instruction asked for, 64-byte aligned
  ThreadPool& pool;
  void* stream;  // of the device
};

// A prepared instruction.
using Run = std::function<void(const Step&)>;

// An operand of a prepared kernel: its type now, its memory in every step.
struct Operand {
  TensorType type;
  int id = -1;

  int64_t size() const { return type.size(); }
  int64_t dim(size_t axis) const { return type.shape[axis]; }
  template <class T>
  T* data(const Step& step) const {
    return reinterpret_cast<T*>(step.buffers[id]);
  }
  float* f32(const Step& step) const { return data<float>(step); }
  int32_t* i32(const Step& step) const { return data<int32_t>(step); }
};

// An instruction with its operands' types, as a kernel is prepared from it.
struct Instruction {
  std::vector<Operand> inputs, outputs;
  Attrs attrs;
  int threads = 1;
  Device* device = nullptr;
  int64_t scratchBytes = 0;  // set by the kernel's factory

  double number(const char* name) const { return list(name).at(0); }
  int64_t integer(const char* name) const { return static_cast<int64_t>(number(name)); }
  const std::vector<double>& list(const char* name) const {
    auto found = attrs.find(name);
    if (found == attrs.end()) throw ProgramError(std::string("missing attribute ") + name);
    return found->second;
  }
};

struct KernelEntry {
  const char* op;
  Run (*prepare)(Instruction&);
};

// The kernels of one instruction set or device; ends with {nullptr, nullptr}.
using KernelTable = const KernelEntry*;

}  // namespace flatmin
