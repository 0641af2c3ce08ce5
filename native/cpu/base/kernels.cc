#include "cpu/base/kernels.h"

namespace flatmin {
namespace FLATMIN_ISA {

#define FLATMIN_ENTRY(name) {#name, op_##name},
const KernelEntry kKernels[] = {FLATMIN_OPS(FLATMIN_ENTRY){nullptr, nullptr}};
#undef FLATMIN_ENTRY

}  // namespace FLATMIN_ISA
}  // namespace flatmin
