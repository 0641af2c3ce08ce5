#include "cuda/linalg/matrices.cu"
#include "cuda/linalg/orthogonalize.cu"
#include "cuda/linalg/roots.cu"
