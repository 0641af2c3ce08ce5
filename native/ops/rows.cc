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

// What a recurrence has beside gates [batch, steps, 4H], or of a plain one what stands before its
// activation [batch, steps, H].
struct Recurrence {
  TensorType gates, cells, output;
  bool projected = false;

  // A weight [4H, P], or of a plain one [H, H]; of a projected LSTM a projection [P, H] and then,
  // where there is an offset, [batch, steps, P]; lengths [batch] or none. P = H without projection.
  Recurrence(const Signature& s, size_t gatesAt, size_t weightAt, int64_t gatesOfUnit,
             bool hasOffset = false) {
    s.flag("reverse");
    gates = s.input(gatesAt, f32({kAny, kAny, kAny}));
    const int64_t batch = gates.shape[0], steps = gates.shape[1];
    const int64_t units = gates.shape[2] / gatesOfUnit;
    s.expect(gates.shape[2] == gatesOfUnit * units, "as many gates for every unit");
    projected = gatesOfUnit == kGates && s.flag("projected");
    size_t next = weightAt;
    const int64_t width =
        s.input(next++, f32({gates.shape[2], projected ? kAny : units})).shape[1];
    output = f32({batch, steps, width});
    cells = f32({batch, steps, units});
    if (projected) s.input(next++, f32({width, units}));
    if (projected && hasOffset) s.input(next++, output);
    if (s.inputs() > next) s.input(next++, i32({batch}));
    s.expect(s.inputs() == next, "no more than lengths");
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
void check_sumRows(const Signature& s) {
  s.takes(3, 2);
  const int64_t count = s.input(1, DType::i32).size();
  const int64_t width = s.input(2, f32({kAny, kAny})).shape[1];
  s.input(0, DType::f32, s.product({count, width}));
  s.output(0, f32({count, width}));
  s.output(1, i32({count}));
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
  s.flag("reverse");
  s.output(0, s.input(0, f32({kAny, kAny, kAny})));
}
void check_lastRows(const Signature& s) {
  s.takes(0, 1, 1);
  s.flag("reverse");
  const int64_t batch = s.output(0, i32({kAny})).shape[0];
  const int64_t steps = s.integer("steps", 0, int64_t{1} << 30);
  s.expect(s.product({batch, steps}) < int64_t{1} << 31, "places that an i32 holds");
  if (s.inputs() > 0) s.input(0, i32({batch}));
}

void check_lstm(const Signature& s) {
  const size_t more = s.flag("projected");
  s.takes(2 + 2 * more, 3 + 2 * more, 3 + more);
  s.inPlace(0, 1);
  const Recurrence r(s, 0, 1, kGates, true);
  s.output(0, r.output);
  s.output(1, r.gates);
  for (size_t i = 2; i < s.outputs(); ++i) s.output(i, r.cells);
}
void check_lstmGrad(const Signature& s) {
  const size_t more = s.flag("projected");
  s.takes(4 + more, 5 + more, 1 + more);
  s.inPlace(1, 0);
  const Recurrence r(s, 1, 3, kGates);
  s.input(0, r.output);
  s.input(2, r.cells);
  s.output(0, r.gates);
  if (r.projected) s.output(1, r.output);
}
void check_lstmTangent(const Signature& s) {
  const size_t more = s.flag("projected");
  s.takes(4 + 2 * more, 5 + 2 * more, 1);
  const Recurrence r(s, 0, 3, kGates, true);
  s.input(1, r.gates);
  s.input(2, r.cells);
  s.output(0, r.output);
}

void check_rnn(const Signature& s) {
  s.takes(2, 3, 1);
  s.flag("relu");
  s.inPlace(0, 0);
  s.output(0, Recurrence(s, 0, 1, 1).output);
}
void check_rnnGrad(const Signature& s) {
  s.takes(3, 4, 1);
  s.flag("relu");
  s.inPlace(0, 0);
  const Recurrence r(s, 1, 2, 1);
  s.input(0, r.output);
  s.output(0, r.output);
}
void check_rnnTangent(const Signature& s) {
  s.takes(3, 4, 1);
  s.flag("relu");
  s.inPlace(0, 0);
  const Recurrence r(s, 0, 2, 1);
  s.input(1, r.output);
  s.output(0, r.output);
}

}  // namespace ops
}  // namespace flatmin
