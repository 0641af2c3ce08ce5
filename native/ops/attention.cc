// Attention and positions of its operands.
#include "ops/signature.h"

namespace flatmin {
namespace ops {

namespace {

constexpr int64_t kMostHead = 256;

// Queries [batch, steps, width] at 0, keys and values [batch, keys, width] at 1 and 2, and lengths
// [batch] or none at `lengthsAt`.
struct Heads {
  TensorType queries, keys, stats;

  Heads(const Signature& s, size_t lengthsAt) {
    queries = s.input(0, f32({kAny, kAny, kAny}));
    const int64_t batch = queries.shape[0], steps = queries.shape[1], width = queries.shape[2];
    keys = s.input(1, f32({batch, kAny, width}));
    s.input(2, keys);
    if (s.inputs() > lengthsAt) s.input(lengthsAt, i32({batch}));
    const int64_t heads = s.integer("heads", 1, int64_t{1} << 30);
    s.expect(width > 0 && width % heads == 0 && width / heads <= kMostHead,
             "heads that divide the width into 1 to 256 each");
    s.expect(!s.flag("causal") || keys.shape[1] == steps, "as many keys as queries");
    stats = f32({batch, heads, steps, 2});
  }
};

}  // namespace

void check_attention(const Signature& s) {
  s.takes(3, 4, 2);
  const Heads heads(s, 3);
  s.output(0, heads.queries);
  s.output(1, heads.stats);
}
void check_attentionGrad(const Signature& s) {
  s.takes(6, 7, 3);
  const Heads heads(s, 6);
  s.input(3, heads.queries);
  s.input(4, heads.stats);
  s.input(5, heads.queries);
  s.output(0, heads.queries);
  s.output(1, heads.keys);
  s.output(2, heads.keys);
}
void check_attentionTangent(const Signature& s) {
  s.takes(8, 9, 1);
  const Heads heads(s, 8);
  s.input(3, heads.queries);
  s.input(4, heads.stats);
  s.input(5, heads.queries);
  s.input(6, heads.keys);
  s.input(7, heads.keys);
  s.output(0, heads.queries);
}
void check_rotary(const Signature& s) {
  s.takes(1, 2, 1);
  const TensorType& x = s.input(0, f32({kAny, kAny, kAny}));
  if (s.inputs() > 1) s.input(1, i32({}));
  s.output(0, x);
  const int64_t heads = s.integer("heads", 1, int64_t{1} << 30);
  s.expect(x.shape[2] % (2 * heads) == 0, "heads of an even width");
  s.numbers({"base", "direction"});
}

}  // namespace ops
}  // namespace flatmin
