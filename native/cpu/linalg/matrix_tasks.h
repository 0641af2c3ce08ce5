// Functions of many matrices, a matrix a task. Costs go with n^3, and what a task computes has the
// same bits on any pool, so how tasks are spread may depend on the number of threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <numeric>
#include <vector>

#include "program/kernel.h"

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

// Matrices that alone would outlast an even share of the work are shared by all threads, but for
// their first part, which is one thread's; the others meanwhile are done side by side.
class MatrixTasks {
 public:
  // bytes: of scratch that every matrix needs.
  MatrixTasks(const std::vector<int64_t>& orders, const std::vector<int64_t>& bytes, int threads)
      : order_(bySize(orders)) {
    const auto cost = [&](size_t index) {
      const double n = static_cast<double>(orders[index]);
      return n * n * n;
    };
    double rest = 0;
    for (const size_t index : order_) rest += cost(index);
    while (shared_ < order_.size() && orders[order_[shared_]] >= kLarge &&
           cost(order_[shared_]) * threads > rest)
      rest -= cost(order_[shared_++]);
    starts_.push_back(0);
    for (size_t i = 0; i < shared_; ++i) starts_.push_back(starts_[i] + align(bytes[order_[i]]));
    for (size_t i = shared_; i < order_.size(); ++i)
      perThread_ = std::max(perThread_, align(bytes[order_[i]]));
    scratchBytes_ = starts_.back() + perThread_ * threads;
  }

  int64_t scratchBytes() const { return scratchBytes_; }

  // begin(index, scratch), then finish(index, scratch, pool), for every matrix.
  template <class Begin, class Finish>
  void operator()(const Step& step, char* scratch, Begin begin, Finish finish) const {
    step.pool.parallel(static_cast<int64_t>(order_.size()), [&](int64_t i, int thread) {
      const size_t place = static_cast<size_t>(i);
      if (place < shared_) return begin(order_[place], scratch + starts_[place]);
      char* const own = scratch + starts_.back() + thread * perThread_;
      begin(order_[place], own);
      finish(order_[place], own, *alone_);
    });
    for (size_t i = 0; i < shared_; ++i) finish(order_[i], scratch + starts_[i], step.pool);
  }

 private:
  static constexpr int64_t kLarge = 128;  // below, threads would wait longer than they work
  static int64_t align(int64_t bytes) { return (bytes + 63) / 64 * 64; }

  std::vector<size_t> order_;
  size_t shared_ = 0;
  std::vector<int64_t> starts_;  // of the shared ones' scratch, and where the threads' begins
  int64_t perThread_ = 0, scratchBytes_ = 0;
  std::shared_ptr<ThreadPool> alone_ = std::make_shared<ThreadPool>(1);
};

}  // namespace FLATMIN_ISA
}  // namespace flatmin
