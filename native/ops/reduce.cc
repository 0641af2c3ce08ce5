// Over the middle of [outer, length, inner].
#include "ops/signature.h"

namespace flatmin {
namespace ops {

namespace {

struct Axis {
  int64_t outer, length, inner, whole, reduced;

  explicit Axis(const Signature& s)
      : outer(of(s, "outer")),
        length(of(s, "length")),
        inner(of(s, "inner")),
        whole(s.product({outer, length, inner})),
        reduced(outer * inner) {}

 private:
  static int64_t of(const Signature& s, const char* name) {
    return s.integer(name, 0, int64_t{1} << 46);
  }
};

}  // namespace

void check_sum(const Signature& s) {
  s.takes(1, 1);
  const Axis axis(s);
  s.input(0, DType::f32, axis.whole);
  s.output(0, f32({axis.outer, axis.inner}));
}
void check_expand(const Signature& s) {
  s.takes(1, 1);
  const Axis axis(s);
  s.input(0, DType::f32, axis.reduced);
  s.output(0, f32({axis.outer, axis.length, axis.inner}));
}
void check_max(const Signature& s) {
  s.takes(1, 2);
  const Axis axis(s);
  s.input(0, DType::f32, axis.whole);
  s.output(0, f32({axis.outer, axis.inner}));
  s.output(1, i32({axis.outer, axis.inner}));
}
void check_maxGrad(const Signature& s) {
  s.takes(2, 1);
  const Axis axis(s);
  s.input(0, DType::f32, axis.reduced);
  s.input(1, DType::i32, axis.reduced);
  s.output(0, f32({axis.outer, axis.length, axis.inner}));
}
void check_takeAlongAxis(const Signature& s) {
  s.takes(2, 1);
  const std::vector<int64_t>& x = s.input(0, f32({kAny, kAny, kAny})).shape;
  const std::vector<int64_t>& index = s.input(1, i32({x[0], kAny, x[2]})).shape;
  s.output(0, f32(index));
  s.integer("length", x[1], x[1]);
  s.integer("count", index[1], index[1]);
  s.integer("inner", x[2], x[2]);
}

}  // namespace ops
}  // namespace flatmin
