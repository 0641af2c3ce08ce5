// |A X^p - I|_F from random directions, at a small part of what the powers cost: |(A X^p - I) z|^2
// has the mean |A X^p - I|_F^2 where the entries of z are independent, of mean 0 and variance 1.
#pragma once

#include <cstdint>

#include "program/thread_pool.h"

namespace flatmin {
namespace FLATMIN_ISA {

// That the mean square in 8 directions comes out below 1/2500 of what it estimates takes all 8 to
// be nearly orthogonal to every row of the residual: a chance below 1e-12. So a fiftieth of a bound
// leaves no doubt that |A X^p - I|_F, and with it max|A X^p - I|, is within the bound.
inline constexpr double kUndoubted = 0.02;

// Integer p up to 8, and matrices large enough for it to pay.
bool canSample(int64_t n, double p);

// a, x: symmetric panels. memory: paddedSize<double>(n) squared.
double sampledResidual(const double* a, const double* x, int p, int64_t n, double* memory,
                       ThreadPool& pool);

}  // namespace FLATMIN_ISA
}  // namespace flatmin
