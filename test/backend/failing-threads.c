// Preloaded: of the threads that C++ starts in this process, only the first FLATMIN_TEST_THREADS start.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *of) {
  static int started = 0;
  int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) =
      dlsym(RTLD_NEXT, "pthread_create");
  Dl_info info;
  if (dladdr((void *)start, &info) && strstr(info.dli_fname, "libstdc++") &&
      started++ >= atoi(getenv("FLATMIN_TEST_THREADS")))
    return EAGAIN;
  return real(thread, attr, start, of);
}
