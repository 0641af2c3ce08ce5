#include "cuda/base/kernels.h"

namespace flatmin {
namespace cuda {

#define FLATMIN_ENTRY(name) {#name, op_##name},
const KernelEntry kKernels[] = {FLATMIN_OPS(FLATMIN_ENTRY){nullptr, nullptr}};
#undef FLATMIN_ENTRY

}  // namespace cuda
}  // namespace flatmin
