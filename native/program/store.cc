#include "store.h"

#include <cstring>
#include <new>

namespace flatmin {

Memory::Memory(int64_t bytes) : bytes_(bytes) {
  const size_t padded = (static_cast<size_t>(bytes) + 127) / 64 * 64;
  data_.reset(static_cast<char*>(std::aligned_alloc(64, padded)));
  if (!data_) throw std::bad_alloc();
  std::memset(data_.get(), 0, padded);
}

void Store::declare(const std::string& key, const TensorType& type) {
  auto found = entries_.find(key);
  if (found == entries_.end()) {
    entries_.emplace(key, Memory(type.bytes()));
  } else if (found->second.bytes() != type.bytes()) {
    throw ProgramError("buffer " + key + " was declared with another size");
  }
}

Memory& Store::at(const std::string& key) {
  auto found = entries_.find(key);
  if (found == entries_.end()) throw ProgramError("no buffer " + key);
  return found->second;
}

}  // namespace flatmin
