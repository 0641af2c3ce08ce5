// Updates of every tensor of a model: the status block, then groups of parameter, gradient and state.
#include "ops/signature.h"

namespace flatmin {
namespace ops {

namespace {

// Of so many states a group; returns the number of groups.
size_t update(const Signature& s, size_t states, DType kept = DType::f32) {
  s.takes(1, SIZE_MAX, 0);
  s.status(0);
  const size_t width = 2 + states, count = s.groups(1, width);
  for (size_t group = 0; group < count; ++group) {
    const size_t at = 1 + group * width;
    const TensorType& p = s.input(at, DType::f32);
    s.input(at + 1, p);
    for (size_t i = 2; i < width; ++i) s.input(at + i, TensorType{kept, p.shape});
  }
  return count;
}

size_t ofLion(const Signature& s, DType kept = DType::f32) {
  s.slots({"lrSlot"});
  s.numbers({"beta1", "beta2", "weightDecay"});
  return update(s, 1, kept);
}

// Pairs from `first` on, alike in shape and both f32; returns their number.
size_t pairs(const Signature& s, size_t first) {
  const size_t count = s.groups(first, 2);
  for (size_t i = 0; i < count; ++i)
    s.input(first + 2 * i + 1, s.input(first + 2 * i, DType::f32));
  return count;
}

// The same, with an output like each.
void pairsToOutputs(const Signature& s, size_t first) {
  const size_t count = pairs(s, first);
  s.takes(first + 2 * count, count);
  for (size_t i = 0; i < count; ++i) s.output(i, s.input(first + 2 * i));
}

void inputsToOutputs(const Signature& s) {
  s.takes(s.inputs(), s.inputs());
  for (size_t i = 0; i < s.inputs(); ++i) s.output(i, s.input(i, DType::f32));
}

// Target and source of a copy, in elements of four bytes.
void copies(const Signature& s, size_t first) {
  const size_t count = s.groups(first, 2);
  s.takes(s.inputs(), 0);
  for (size_t i = 0; i < count; ++i) {
    const TensorType& to = s.input(first + 2 * i);
    s.expect(bytesPer(to.dtype) == 4, "elements of four bytes");
    s.input(first + 2 * i + 1, to.dtype, to.size());
  }
}

}  // namespace

void check_sgd(const Signature& s) {
  s.slots({"lrSlot"});
  s.number("weightDecay");
  s.flags({"nesterov", "decoupled"});
  update(s, s.number("momentum") == 0 ? 0 : 1);
}
void check_sgdRows(const Signature& s) {
  s.takes(4, 0);
  s.status(0);
  s.slots({"lrSlot"});
  s.number("weightDecay");
  s.flag("decoupled");
  const TensorType& table = s.input(1, f32({kAny, kAny}));
  const TensorType& sums = s.input(2, f32({kAny, table.shape[1]}));
  s.input(3, i32({sums.shape[0]}));
}
void check_adamw(const Signature& s) {
  s.slots({"lrSlot", "stepSlot"});
  s.numbers({"beta1", "beta2", "eps", "weightDecay"});
  s.flag("decoupled");
  update(s, s.flag("amsgrad") ? 3 : 2);
}
void check_adagrad(const Signature& s) {
  s.slots({"lrSlot"});
  s.numbers({"decay", "weight", "eps", "weightDecay"});
  s.flags({"decoupled", "epsInsideSqrt"});
  update(s, 1);
}
void check_lion(const Signature& s) {
  const bool halves = s.inputs() > 3 && s.input(3).dtype == DType::bf16;
  ofLion(s, halves ? DType::bf16 : DType::f32);
}
void check_lionK(const Signature& s) {
  ofLion(s);
  s.integer("kind", 0, 4);
  s.number("e");
}
void check_lionLp(const Signature& s) {
  ofLion(s);
  s.number("p");
}
void check_lionLargest(const Signature& s) {
  ofLion(s);
  s.integer("k", 0, int64_t{1} << 53);
}
void check_enim(const Signature& s) {
  const size_t count = ofLion(s);
  s.number("angle");
  s.flag("global");
  s.integer("stream", 0, 0xffffffff);
  s.slots({"seedSlot", "stepSlot"});
  s.integers("tensors", count, 0, 0x7fffffff);
}
void check_normDescent(const Signature& s) {
  s.slots({"lrSlot"});
  s.number("weightDecay");
  s.integer("norm", 0, 2);
  s.flag("dual");
  update(s, s.number("momentum") == 0 ? 0 : 1);
}

void check_angularNoise(const Signature& s) {
  const size_t count = s.groups(0, 2);
  s.takes(2 * count, 1 + count);
  for (size_t i = 0; i < count; ++i) {
    const TensorType& g = s.input(2 * i, DType::f32);
    const bool halves = s.input(2 * i + 1).dtype == DType::bf16;
    s.input(2 * i + 1, TensorType{halves ? DType::bf16 : DType::f32, g.shape});
  }
  for (size_t i = 0; i <= count; ++i) s.output(i, f32());
  s.number("beta1");
}
void check_checkFinite(const Signature& s) {
  s.takes(1, SIZE_MAX, 0);
  s.status(0);
  for (size_t i = 1; i < s.inputs(); ++i) s.input(i, DType::f32);
  s.list("limits", s.inputs() - 1);
  s.integer("losses", 0, static_cast<int64_t>(s.inputs()) - 1);
  s.flags({"skip", "again"});
  s.slots({"stepSlot"});
}
void check_momentum(const Signature& s) {
  s.status(0);
  pairsToOutputs(s, 1);
  s.number("momentum");
  s.flag("nesterov");
}
void check_globalNorm(const Signature& s) {
  s.takes(0, SIZE_MAX, 1);
  for (size_t i = 0; i < s.inputs(); ++i) s.input(i, DType::f32);
  s.output(0, f32());
}
void check_samPerturb(const Signature& s) {
  s.input(0, f32());
  pairsToOutputs(s, 1);
  s.number("rho");
}
void check_lpDirection(const Signature& s) {
  inputsToOutputs(s);
  s.number("p");
}
void check_graft(const Signature& s) { pairsToOutputs(s, 0); }
void check_klClip(const Signature& s) {
  s.takes(0, SIZE_MAX, 1);
  pairs(s, 0);
  s.output(0, f32());
  s.number("kappa");
  s.slots({"lrSlot"});
}
void check_assign(const Signature& s) { copies(s, 0); }
void check_keep(const Signature& s) {
  s.status(0);
  copies(s, 1);
}
void check_countUpdate(const Signature& s) {
  s.takes(2, 3, 0);
  s.status(0);
  s.counter(1);
  if (s.inputs() > 2) s.input(2, DType::f32, 1);
}

}  // namespace ops
}  // namespace flatmin
