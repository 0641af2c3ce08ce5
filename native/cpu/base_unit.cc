#include "cpu/base/kernels.cc"
