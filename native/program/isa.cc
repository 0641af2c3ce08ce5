#include "isa.h"

// The tests link the portable kernels alone.
#if defined(__x86_64__) && !defined(FLATMIN_PORTABLE_ALONE)
#define FLATMIN_X86
#endif

namespace flatmin {

#if defined(FLATMIN_X86)
namespace avx512 {
extern const KernelEntry kKernels[];
bool runsTiles();  // asks the system for them, and tries them
}  // namespace avx512
namespace avx2 {
extern const KernelEntry kKernels[];
}
#endif
namespace portable {
extern const KernelEntry kKernels[];
}

namespace {

struct Candidate {
  Isa isa;
  bool (*runs)();
};

#if defined(FLATMIN_X86)
bool runsAvx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
bool runsAvx512Bf16() { return runsAvx512() && __builtin_cpu_supports("avx512bf16"); }
#endif

// Best first.
const Candidate kCandidates[] = {
#if defined(FLATMIN_X86)
    {{"amx", avx512::kKernels, PairUnit::tiles},
     [] { return runsAvx512Bf16() && avx512::runsTiles(); }},
    {{"avx512bf16", avx512::kKernels, PairUnit::vectors}, runsAvx512Bf16},
    {{"avx512", avx512::kKernels}, runsAvx512},
    {{"avx2", avx2::kKernels},
     [] {
       return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
              __builtin_cpu_supports("bmi2");
     }},
#endif
    {{"portable", portable::kKernels}, [] { return true; }},
};

}  // namespace

const Isa& chooseIsa(const std::string& name) {
  for (const Candidate& candidate : kCandidates)
    if ((name.empty() || name == candidate.isa.name) && candidate.runs()) return candidate.isa;
  throw ProgramError(
      "instruction set " + name +
      " is not one of amx, avx512bf16, avx512, avx2, portable that this processor runs");
}

}  // namespace flatmin
