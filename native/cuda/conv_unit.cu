#include "cuda/conv/conv2d.cu"
#include "cuda/conv/pool.cu"
