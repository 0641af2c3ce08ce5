// What ThreadSanitizer has to know, in a build with FLATMIN_RACES: fibers are threads, and only
// barriers order what they do. Else nothing.
#pragma once

#if defined(FLATMIN_RACES)
#include <sanitizer/tsan_interface.h>
#endif

namespace flatmin {
namespace emulation {
namespace races {

#if defined(FLATMIN_RACES)
inline void* newThread() { return __tsan_create_fiber(0); }
inline void* thisThread() { return __tsan_get_current_fiber(); }
inline void goTo(void* thread) { __tsan_switch_to_fiber(thread, __tsan_switch_to_fiber_no_sync); }
// What came before before(p) in one thread precedes what comes after after(p) in another.
inline void before(void* p) { __tsan_release(p); }
inline void after(void* p) { __tsan_acquire(p); }
#else
inline void* newThread() { return nullptr; }
inline void* thisThread() { return nullptr; }
inline void goTo(void*) {}
inline void before(void*) {}
inline void after(void*) {}
#endif

}  // namespace races
}  // namespace emulation
}  // namespace flatmin
