#include "out_of_memory.h"

#include <cstdio>

namespace flatmin {

OutOfMemory outOfMemory(double bytes, const std::string& detail) {
  static const char* const kUnits[] = {"B", "KB", "MB", "GB", "TB", "PB", "EB"};
  int unit = 0;
  for (; bytes >= 1000 && unit < 6; ++unit) bytes /= 1000;
  char size[32];
  std::snprintf(size, sizeof size, "%.3g %s", bytes, kUnits[unit]);
  return OutOfMemory(std::string("Out of memory: ") + size + " were asked for" +
                     (detail.empty() ? "" : ", " + detail) +
                     ". Help: use a smaller batch, model or dataset.");
}

}  // namespace flatmin
