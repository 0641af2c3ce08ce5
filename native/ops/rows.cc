// Rows of tables by index, tokens, and sequences of [batch, steps, width].
#include "ops/signature.h"

namespace flatmin {
namespace ops {

namespace {

constexpr int64_t kGates = 4;

// Rows of table's kind, one for each of these dimensions.
TensorType rowsOf(const Signature& s, const TensorType& table, std::vector<int64_t> rows) {
  s.expect(!table.shape.empty(), "rows");
  rows.insert(rows.end(), table.shape.begin() + 1, table.shape.end());
  return {table.dtype, rows};
}

struct Recurrence {
  TensorType hidden, gates;

  // Gates [batch, steps, 4H], a weight [4H, H], and lengths [batch] after it or none.
  Recurrence(const Signature& s, size_t gatesAt, size_t weightAt) {
    gates = s.input(gatesAt, f32({kAny, kAny, kAny}));
    const int64_t batch = gates.shape[0], units = gates.shape[2] / kGates;
    s.expect(gates.shape[2] == kGates * units, "four gates a unit");
    s.input(weightAt, f32({kGates * units, units}));
    if (s.inputs() > weightAt + 1) s.input(weightAt + 1, i32({batch}));
    hidden = f32({batch, gates.shape[1], units});
  }
};

}  // namespace

void check_gather(const Signature& s) {
  s.takes(2, 1);
  s.expect(!s.has("offsetSlot"), "no offset");
  s.output(0, rowsOf(s, s.input(0), s.input(1, DType::i32).shape));
}
void check_batchRows(const Signature& s) {
  s.takes(2, 1);
  s.input(1, i32({kAny}));
  s.output(0, rowsOf(s, s.input(0), {s.integer("rows", 0, int64_t{1} << 46)}));
  s.slots({"offsetSlot"});
}
void check_scatterAdd(const Signature& s) {
  s.takes(2, 1);
  const TensorType& table = s.output(0, DType::f32);
  const TensorType& indices = s.input(1, DType::i32);
  const TensorType rows = rowsOf(s, table, indices.shape);
  int64_t width = 1;
  for (size_t d = 1; d < table.shape.size(); ++d) width *= table.shape[d];
  s.input(0, DType::f32, s.product({indices.size(), width}));
}
void check_embedding(const Signature& s) {
  s.takes(2, 1);
  const TensorType& table = s.input(0, f32({kAny, kAny}));
  s.output(0, rowsOf(s, table, s.input(1, DType::i32).shape));
}

void check_lengths(const Signature& s) {
  s.takes(1, 1);
  s.output(0, i32({s.input(0, i32({kAny, kAny})).shape[0]}));
}
void check_rowWeights(const Signature& s) {
  s.takes(1, 1);
  s.output(0, f32({s.input(0, i32({kAny})).shape[0]}));
}
void check_previousSteps(const Signature& s) {
  s.takes(1, 1);
  s.output(0, s.input(0, f32({kAny, kAny, kAny})));
}

void check_lstm(const Signature& s) {
  s.takes(2, 3, 3);
  s.inPlace(0, 1);
  const Recurrence r(s, 0, 1);
  s.output(0, r.hidden);
  s.output(1, r.gates);
  s.output(2, r.hidden);
}
void check_lstmGrad(const Signature& s) {
  s.takes(4, 5, 1);
  s.inPlace(1, 0);
  const Recurrence r(s, 1, 3);
  s.input(0, r.hidden);
  s.input(2, r.hidden);
  s.output(0, r.gates);
}
void check_lstmTangent(const Signature& s) {
  s.takes(4, 5, 1);
  const Recurrence r(s, 0, 3);
  s.input(1, r.gates);
  s.input(2, r.hidden);
  s.output(0, r.hidden);
}

}  // namespace ops
}  // namespace flatmin
