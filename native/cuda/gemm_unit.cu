#include "cuda/gemm/linear.cu"
