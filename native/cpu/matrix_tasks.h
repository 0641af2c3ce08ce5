// Functions of many matrices, a matrix a task. Costs go with n^3, and what a task computes has the
// same bits on any pool, so how tasks are spread may depend on the number of threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <numeric>
#include <vector>

#include "../program/kernel.h"

namespace flatmin {
namespace FLATMIN_ISA {

// Indices of matrices of these orders, largest first: the long tasks begin early.
inline std::vector<size_t> bySize(const std::vector<int64_t>& orders) {
  std::vector<size_t> indices(orders.size());
  std::iota(indices.begin(), indices.end(), size_t{0});
  std::stable_sort(indices.begin(), indices.end(),
                   [&](size_t a, size_t b) { return orders[a] > orders[b]; });
  return indices;
}

// body(index, thread, pool) for every matrix: those that alone would outlast an even share of the
// work one after the other on all threads, the others side by side.
class MatrixTasks {
 public:
  MatrixTasks(const std::vector<int64_t>& orders, int threads) : order_(bySize(orders)) {
    const auto cost = [&](size_t index) {
      const double n = static_cast<double>(orders[index]);
      return n * n * n;
    };
    double rest = 0;
    for (const size_t index : order_) rest += cost(index);
    while (shared_ < order_.size() && orders[order_[shared_]] >= kLarge &&
           cost(order_[shared_]) * threads > rest)
      rest -= cost(order_[shared_++]);
  }

  template <class Body>
  void operator()(const Step& step, Body body) const {
    for (size_t i = 0; i < shared_; ++i) body(order_[i], 0, step.pool);
    step.pool.parallel(static_cast<int64_t>(order_.size() - shared_), [&](int64_t i, int thread) {
      body(order_[shared_ + static_cast<size_t>(i)], thread, *alone_);
    });
  }

 private:
  static constexpr int64_t kLarge = 128;  // below, threads would wait longer than they work

  std::vector<size_t> order_;
  size_t shared_ = 0;
  std::shared_ptr<ThreadPool> alone_ = std::make_shared<ThreadPool>(1);
};

}  // namespace FLATMIN_ISA
}  // namespace flatmin
