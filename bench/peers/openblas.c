// C = A B for row-major A [m, k], B [k, n], each as it is or transposed in memory:
// openblas THREADS M N K (n|t) (n|t)
#include <cblas.h>

#include "timed.h"

static int m, n, k;
static enum CBLAS_TRANSPOSE ta, tb;
static float *a, *b, *c;

static void step(void) {
  cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1, a, ta == CblasTrans ? m : k, b,
              tb == CblasTrans ? k : n, 0, c, n);
}

int main(int argc, char** argv) {
  if (argc != 7) return 2;
  openblas_set_num_threads(atoi(argv[1]));
  m = atoi(argv[2]);
  n = atoi(argv[3]);
  k = atoi(argv[4]);
  ta = argv[5][0] == 't' ? CblasTrans : CblasNoTrans;
  tb = argv[6][0] == 't' ? CblasTrans : CblasNoTrans;
  a = noise((size_t)m * (size_t)k);
  b = noise((size_t)k * (size_t)n);
  c = noise((size_t)m * (size_t)n);
  print_time(step);
}
