/* What libstdc++ of a machine with a newer glibc asks for, for packages that are linked for an older one. */
#include <sys/random.h>

/* glibc 2.32: whether atomic counts may be plain ones. Never: Node has threads. */
char __libc_single_threaded = 0;

/* glibc 2.36, of std::random_device, which flatmin does not use. */
unsigned arc4random(void) {
  unsigned value = 0;
  while (getrandom(&value, sizeof value, 0) != sizeof value) {
  }
  return value;
}
