#include "cuda/gemm/block_matmul.cu"
#include "cuda/gemm/linear.cu"
