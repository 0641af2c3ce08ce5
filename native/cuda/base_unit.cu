#include "cuda/base/kernels.cu"
