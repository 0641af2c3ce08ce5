// Device and pinned memory of the emulation, which is the host's, between guards.
#pragma once

#include <cstdint>

namespace flatmin {
namespace emulation {

// Throws a Fault when something was written beside an allocation.
void checkAllocations(const char* kernel);

// Bytes of allocations that are alive.
int64_t allocatedBytes();

}  // namespace emulation
}  // namespace flatmin
