#include "host.h"

#include <cstdlib>
#include <cstring>

#include "out_of_memory.h"

namespace flatmin {

// Pages of zeros come from the system when they are first touched: memory that is large and never
// used costs nothing. What calloc gave stands before what is aligned.
char* Host::allocate(int64_t bytes) {
  constexpr size_t kAlignment = 64;
  void* const given = std::calloc(static_cast<size_t>(bytes) + 3 * kAlignment, 1);
  if (!given) throw outOfMemory(static_cast<double>(bytes));
  const uintptr_t after = reinterpret_cast<uintptr_t>(given) + sizeof given;
  char* const data = static_cast<char*>(given) +
                     ((after + kAlignment - 1) / kAlignment * kAlignment -
                      reinterpret_cast<uintptr_t>(given));
  std::memcpy(data - sizeof given, &given, sizeof given);
  return data;
}

void Host::release(char* data) noexcept {
  if (!data) return;  // guard
  void* given;
  std::memcpy(&given, data - sizeof given, sizeof given);
  std::free(given);
}

// An empty array may have no address.
void Host::upload(char* to, const void* from, int64_t bytes) {
  if (bytes > 0) std::memcpy(to, from, static_cast<size_t>(bytes));
}
void Host::download(void* to, const char* from, int64_t bytes) {
  if (bytes > 0) std::memcpy(to, from, static_cast<size_t>(bytes));
}

}  // namespace flatmin
