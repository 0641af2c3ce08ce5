// Stores on CUDA devices.
#pragma once

#include <memory>

#include "program/store.h"

namespace flatmin {

// A store with the CUDA kernels on the device of this number, and a stream of its own. Throws
// DeviceMissing where there is none.
std::shared_ptr<Store> openCuda(int device);

}  // namespace flatmin
