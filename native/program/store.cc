#include "store.h"

namespace flatmin {

void Store::declare(const std::string& key, const TensorType& type) {
  auto found = entries_.find(key);
  if (found == entries_.end()) {
    entries_.emplace(key, Memory(*device, type.bytes()));
  } else if (found->second.bytes() != type.bytes()) {
    throw ProgramError("buffer " + key + " was declared with another size");
  }
}

Memory& Store::at(const std::string& key) {
  auto found = entries_.find(key);
  if (found == entries_.end()) throw ProgramError("no buffer " + key);
  return found->second;
}

int64_t Store::bytes() const {
  int64_t total = device->reserved();
  for (const auto& entry : entries_) total += entry.second.bytes();
  return total;
}

}  // namespace flatmin
