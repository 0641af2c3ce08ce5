#include "cpu/gemm/gemm_tiles.cc"
