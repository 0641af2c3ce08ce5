#include "cpu/gemm/gemm.cc"
#include "cpu/gemm/gemm_bf16.cc"
#include "cpu/gemm/linear.cc"
#include "cpu/gemm/products.cc"
