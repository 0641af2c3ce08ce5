// Windows that slide over images.
#pragma once

#include "ops/signature.h"

namespace flatmin {
namespace ops {

struct Windows {
  int64_t outHeight, outWidth;

  int64_t positions() const { return outHeight * outWidth; }
};

// Those of a kernel over images of this size, by the attributes stride and padding; at least one
// fits. What they unfold to, of so many channels, is smaller than any memory.
Windows windowsOf(const Signature& s, int64_t channels, int64_t height, int64_t width,
                  int64_t kernelHeight, int64_t kernelWidth);

// The attribute `kernel`.
std::vector<int64_t> kernelOf(const Signature& s);

}  // namespace ops
}  // namespace flatmin
