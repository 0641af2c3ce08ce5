// What UndefinedBehaviorSanitizer calls in a build with -fsanitize but without its library: inside
// a kernel a misaligned access and its like are Faults, which name thread and line, instead of the
// end of the process.
#include "cuda_runtime.h"

namespace flatmin {
namespace emulation {
namespace {

// The start of all data that the compiler passes, and what follows it for an access.
struct Check {
  const char* file;
  uint32_t line, column;
};
struct Access {
  Check check;
  const void* type;
  unsigned char logAlignment, kind;
};

[[noreturn]] void report(const Check* check, const char* what) {
  currentBlock().fail({check->file, static_cast<int>(check->line)}, what);
}

}  // namespace
}  // namespace emulation
}  // namespace flatmin

using namespace flatmin::emulation;

extern "C" {
void __ubsan_handle_type_mismatch_v1(Access* access, uintptr_t address) {
  const uintptr_t alignment = uintptr_t{1} << access->logAlignment;
  report(&access->check, address == 0               ? "an access through a null pointer"
                         : address % alignment != 0 ? "a misaligned access"
                                                    : "an access beyond an object");
}
void __ubsan_handle_out_of_bounds(Check* check) { report(check, "an index out of bounds"); }
void __ubsan_handle_shift_out_of_bounds(Check* check) { report(check, "a shift out of range"); }
void __ubsan_handle_divrem_overflow(Check* check) { report(check, "a division by zero"); }
void __ubsan_handle_add_overflow(Check* check) { report(check, "an overflow"); }
void __ubsan_handle_sub_overflow(Check* check) { report(check, "an overflow"); }
void __ubsan_handle_mul_overflow(Check* check) { report(check, "an overflow"); }
void __ubsan_handle_negate_overflow(Check* check) { report(check, "an overflow"); }
}
