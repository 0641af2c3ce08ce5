#include "host.h"

#include <cstdlib>
#include <cstring>

#include "out_of_memory.h"

namespace flatmin {

char* Host::allocate(int64_t bytes) {
  const size_t padded = (static_cast<size_t>(bytes) + 127) / 64 * 64;
  void* const data = std::aligned_alloc(64, padded);
  if (!data) throw outOfMemory(static_cast<double>(bytes));
  std::memset(data, 0, padded);
  return static_cast<char*>(data);
}

void Host::release(char* data) noexcept { std::free(data); }

// An empty array may have no address.
void Host::upload(char* to, const void* from, int64_t bytes) {
  if (bytes > 0) std::memcpy(to, from, static_cast<size_t>(bytes));
}
void Host::download(void* to, const char* from, int64_t bytes) {
  if (bytes > 0) std::memcpy(to, from, static_cast<size_t>(bytes));
}

}  // namespace flatmin
