#include "cuda/device/blas.cu"
#include "cuda/device/device.cu"
#include "cuda/device/probe.cu"
