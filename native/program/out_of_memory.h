// What is said where memory runs out.
#pragma once

#include <string>

#include "device.h"

namespace flatmin {

// So many bytes were asked for; `detail` says of what, or why there are none.
OutOfMemory outOfMemory(double bytes, const std::string& detail = "");

}  // namespace flatmin
