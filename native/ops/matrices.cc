// Blocks and modes of tensors, statistics of them, and their roots, bases and directions.
#include "ops/signature.h"

namespace flatmin {
namespace ops {

namespace {

constexpr int64_t kMost = int64_t{1} << 46;
constexpr int64_t kMostLevels = 16;

struct Mode {
  int64_t count, dim, whole;

  explicit Mode(const Signature& s)
      : count(s.integer("count", 0, kMost)),
        dim(s.integer("dim", 0, kMost)),
        whole(s.product({count, s.integer("outer", 0, kMost), dim, s.integer("inner", 0, kMost)})) {
    s.product({count, dim, dim + 1});
  }
};

// Blocks within a tensor, one part for each group.
template <class Part>
void blocks(const Signature& s, const TensorType& whole, size_t parts, Part part) {
  s.list("bases", parts);
  const std::vector<int64_t> bases = s.integers("bases", 0, kMost);
  const std::vector<int64_t> levels = s.integers("levels", parts, 0, kMostLevels);
  const std::vector<int64_t> extents = s.integers("extents", 1, kMost);
  const std::vector<int64_t> strides = s.integers("strides", extents.size(), 0, kMost);
  size_t at = 0;
  for (size_t group = 0; group < parts; ++group) {
    int64_t last = bases[group], size = 1;
    for (int64_t level = 0; level < levels[group]; ++level, ++at) {
      s.expect(at < extents.size(), "an extent for each level");
      size = s.product({size, extents[at]});
      last += s.product({extents[at] - 1, strides[at]});
      s.expect(last < whole.size(), "blocks within their tensor");
    }
    s.expect(last < whole.size(), "blocks within their tensor");
    part(group, size);
  }
  s.expect(at == extents.size(), "an extent for each level");
}

// Squares [count, n, n].
const TensorType& squares(const Signature& s, size_t i) {
  const TensorType& matrices = s.input(i, f32({kAny, kAny, kAny}));
  s.expect(matrices.shape[1] == matrices.shape[2], "square matrices");
  return matrices;
}

void positive(const Signature& s, double p) { s.expect(p > 0, "p above 0"); }

}  // namespace

void check_splitBlocks(const Signature& s) {
  s.takes(1, s.outputs());
  blocks(s, s.input(0, DType::f32), s.outputs(),
         [&](size_t i, int64_t size) { s.output(i, DType::f32, size); });
}
void check_joinBlocks(const Signature& s) {
  s.takes(s.inputs(), 1);
  blocks(s, s.output(0, DType::f32), s.inputs(),
         [&](size_t i, int64_t size) { s.input(i, DType::f32, size); });
}

void check_modeGram(const Signature& s) {
  s.takes(3, 0);
  const Mode mode(s);
  s.status(0);
  s.input(1, f32({mode.count, packedSize(mode.dim)}));
  s.input(2, DType::f32, mode.whole);
  s.numbers({"decay", "scale"});
}
void check_modeApply(const Signature& s) {
  s.takes(2, 1);
  const Mode mode(s);
  s.input(0, f32({mode.count, mode.dim, mode.dim}));
  s.output(0, s.input(1, DType::f32, mode.whole));
  s.flag("transposed");
}

void check_soapDirection(const Signature& s) {
  const size_t count = s.groups(2, 5);
  s.takes(2 + 5 * count, count);
  s.status(0);
  s.counter(1);
  for (size_t t = 0; t < count; ++t) {
    const TensorType& g = s.input(2 + 5 * t, DType::f32);
    for (size_t i = 1; i < 5; ++i) s.input(2 + 5 * t + i, g);
    s.output(t, g);
  }
  s.numbers({"beta1", "beta2", "eps"});
}
void check_soapBases(const Signature& s) {
  const size_t count = s.groups(2, 3);
  s.takes(2 + 3 * count, 0);
  s.status(0);
  s.counter(1);
  const std::vector<int64_t> outer = s.integers("outer", count, 0, kMost);
  const std::vector<int64_t> inner = s.integers("inner", count, 0, kMost);
  s.integers("tensors", count, 0, 0x7fffffff);
  for (size_t i = 0; i < count; ++i) {
    const int64_t n = s.input(3 + 3 * i, f32({1, kAny, kAny})).shape[1];
    s.input(3 + 3 * i, f32({1, n, n}));
    s.input(2 + 3 * i, f32({1, packedSize(n)}));
    s.input(4 + 3 * i, DType::f32, s.product({outer[i], n, inner[i]}));
  }
  s.slots({"dueSlot", "stepSlot"});
}

void check_eigh(const Signature& s) {
  s.takes(1, 2);
  const TensorType& matrices = squares(s, 0);
  s.output(0, f32({matrices.shape[0], matrices.shape[1]}));
  s.output(1, matrices);
}
void check_inverseRoot(const Signature& s) {
  s.takes(1, 3);
  const TensorType& matrices = squares(s, 0);
  s.output(0, matrices);
  s.output(1, f32({matrices.shape[0]}));
  s.output(2, i32({matrices.shape[0], 2}));
  positive(s, s.number("p"));
  s.numbers({"ridge", "epsilon"});
  s.flag("newton");
}
void check_inverseRoots(const Signature& s) {
  const bool warm = s.flag("warm");
  const size_t width = warm ? 3 : 2, requests = s.groups(3, width);
  s.takes(3 + width * requests, 0);
  s.status(0);
  s.counter(2);
  int64_t count = 0;
  for (size_t i = 0; i < requests; ++i) {
    const size_t at = 3 + width * i;
    const std::vector<int64_t>& roots = squares(s, at + 1).shape;
    s.input(at, f32({roots[0], packedSize(roots[1])}));
    if (warm) s.input(at + 2, f32(roots));
    count += roots[0];
  }
  s.input(1, i32({count}));
  for (const double p : s.list("p", requests)) positive(s, p);
  s.integers("tensors", requests, 0, 0x7fffffff);
  s.numbers({"epsilon", "ridge", "beta"});
  s.flag("newton");
  s.slots({"stepSlot"});
}
void check_orthogonalize(const Signature& s) {
  const size_t settled = s.flag("settled") ? 1 : 0;
  s.takes(settled, SIZE_MAX, s.inputs() - std::min(settled, s.inputs()));
  for (size_t i = 0; i < s.outputs(); ++i)
    s.output(i, s.input(settled + i, f32({kAny, kAny, kAny})));
  if (settled) {
    s.status(0);
    s.integers("tensors", s.outputs(), 0, int64_t{1} << 30);
    s.slots({"stepSlot"});
  }
  s.integer("sweeps", 0, 1 << 20);
  s.expect(s.list("coefficients").size() % 3 == 0, "coefficients in threes");
  s.numbers({"safety", "epsilon"});
  s.flag("leading");
}

}  // namespace ops
}  // namespace flatmin
