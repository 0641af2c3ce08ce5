// The median time of a step, measured as bench/program.ts does.
#pragma once
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void* a, const void* b) {
  const double x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}

static void print_time(void (*step)(void)) {
  enum { kMost = 1000 };
  static double times[kMost];
  step();
  double begun = now();
  step();
  const double once = now() - begun;
  const int steps = once < 1e-3 ? (int)(1e-3 / (once > 1e-7 ? once : 1e-7)) + 1 : 1;
  int count = 0;
  const double started = now();
  while (count < kMost && (count < 3 || now() - started < 0.25)) {
    begun = now();
    for (int i = 0; i < steps; ++i) step();
    times[count++] = (now() - begun) / steps;
  }
  qsort(times, (size_t)count, sizeof *times, ascending);
  printf("{\"seconds\": %.9g}\n", times[count / 2]);
}

// In [-1, 1), of memory that has been touched.
static float* noise(size_t size) {
  float* values = aligned_alloc(64, (size * sizeof *values + 63) / 64 * 64);
  if (values == NULL) abort();
  unsigned state = 1;
  for (size_t i = 0; i < size; ++i) {
    state = state * 1664525u + 1013904223u;
    values[i] = (float)(int)state / 2147483648.0f;
  }
  return values;
}
