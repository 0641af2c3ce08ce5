// a = b + s c over so many bytes in all, a part for each thread: triad THREADS BYTES
#include <pthread.h>

#include "timed.h"

static int threads;
static size_t size;
static float *a, *b, *c;

static void* part(void* number) {
  const size_t t = (size_t)number;
  const size_t begin = size * t / (size_t)threads, end = size * (t + 1) / (size_t)threads;
  for (size_t i = begin; i < end; ++i) a[i] = b[i] + 0.5f * c[i];
  return NULL;
}

static void step(void) {
  pthread_t others[64];
  for (int t = 1; t < threads; ++t) pthread_create(&others[t], NULL, part, (void*)(size_t)t);
  part(0);
  for (int t = 1; t < threads; ++t) pthread_join(others[t], NULL);
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  threads = atoi(argv[1]);
  if (threads < 1 || threads > 64) return 2;
  size = strtoull(argv[2], NULL, 10) / 12;
  a = noise(size);
  b = noise(size);
  c = noise(size);
  print_time(step);
}
