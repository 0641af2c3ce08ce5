// The instruction sets that the CPU kernels were compiled for, chosen once at run time.
#pragma once

#include "host.h"
#include "kernel.h"

namespace flatmin {

struct Isa {
  const char* name;
  KernelTable kernels;
  PairUnit pairUnit = PairUnit::none;
};

// The widest instruction set of this processor, or the one named (which must be there).
const Isa& chooseIsa(const std::string& name);

}  // namespace flatmin
