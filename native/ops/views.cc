// Tensors seen through strides, and tensors one after the other.
#include <algorithm>
#include <cstdlib>

#include "formulas/view.h"
#include "ops/signature.h"

namespace flatmin {
namespace ops {

namespace {

constexpr int64_t kMost = int64_t{1} << 46;

// A view of `shape` by the attributes strides and offset stays within `size` elements.
void viewFits(const Signature& s, const std::vector<int64_t>& shape, int64_t size) {
  s.expect(shape.size() <= formulas::View::kMostDims, "few dimensions");
  const std::vector<int64_t> strides = s.integers("strides", shape.size(), -kMost, kMost);
  int64_t first = s.integer("offset", 0, kMost), last = first;
  for (const int64_t d : shape)
    if (d == 0) return;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == 1) continue;
    // So that no product overflows.
    s.expect(std::abs(strides[d]) <= size / (shape[d] - 1), "strides within the tensor");
    (strides[d] < 0 ? first : last) += (shape[d] - 1) * strides[d];
  }
  s.expect(first >= 0 && last < size, "a view within the tensor");
}

// No two indices of the view are one element: each stride is longer than all that is shorter
// reaches.
void hasElementsOnce(const Signature& s, const std::vector<int64_t>& shape) {
  std::vector<std::pair<int64_t, int64_t>> dims;
  const std::vector<double>& strides = s.list("strides");
  for (size_t d = 0; d < shape.size(); ++d)
    if (shape[d] > 1) dims.push_back({std::abs(static_cast<int64_t>(strides[d])), shape[d]});
  std::sort(dims.begin(), dims.end());
  int64_t reached = 0;
  for (const auto& [stride, size] : dims) {
    s.expect(stride > reached, "every element once");
    reached += (size - 1) * stride;
  }
}

}  // namespace

void check_strided(const Signature& s) {
  s.takes(1, 1);
  const TensorType &x = s.input(0), &y = s.output(0, x.dtype);
  s.expect(s.integers("shape", y.shape.size(), 0, kMost) == y.shape, "the shape of its output");
  viewFits(s, y.shape, x.size());
}

void check_place(const Signature& s) {
  s.takes(1, 1);
  const TensorType &x = s.input(0), &y = s.output(0, x.dtype);
  s.expect(s.integers("shape", y.shape.size(), 0, kMost) == y.shape, "the shape of its output");
  viewFits(s, x.shape, y.size());
  if (x.size() > 0) hasElementsOnce(s, x.shape);
  if (x.dtype == DType::f32) s.number("value");
  if (x.dtype == DType::i32) s.integer("value", INT32_MIN, INT32_MAX);
  if (x.dtype == DType::u8) s.integer("value", 0, 255);
  if (x.dtype == DType::bf16) s.integer("value", 0, 0);
}

void check_concat(const Signature& s) {
  s.groups(1, 1);
  s.takes(s.inputs(), 1);
  const int64_t outer = s.integer("outer", 0, kMost);
  const DType dtype = s.input(0).dtype;
  int64_t width = 0;
  for (size_t i = 0; i < s.inputs(); ++i) {
    width += s.input(i, TensorType{dtype, {outer, kAny}}).shape[1];
    s.expect(width <= kMost, "rows that fit in memory");
  }
  s.output(0, TensorType{dtype, {outer, width}});
}

}  // namespace ops
}  // namespace flatmin
