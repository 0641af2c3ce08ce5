// Rows of classes and their labels.
#include "ops/signature.h"

namespace flatmin {
namespace ops {

namespace {

// i32 or u8, one a row.
void labels(const Signature& s, size_t i, int64_t rows) {
  s.input(i, TensorType{s.input(i).dtype == DType::u8 ? DType::u8 : DType::i32, {rows}});
}

void ofAnyRank(const Signature& s, const TensorType& rows) {
  s.expect(!rows.shape.empty(), "at least one dimension");
}

}  // namespace

void check_softmax(const Signature& s) {
  s.takes(1, 1);
  const TensorType& x = s.input(0, DType::f32);
  ofAnyRank(s, x);
  s.output(0, x);
}
void check_softmaxGrad(const Signature& s) {
  s.takes(2, 1);
  const TensorType& y = s.input(0, DType::f32);
  ofAnyRank(s, y);
  s.input(1, y);
  s.output(0, y);
}
void check_logSoftmax(const Signature& s) { check_softmax(s); }
void check_logSoftmaxGrad(const Signature& s) {
  s.inPlace(1, 0);
  check_softmaxGrad(s);
}
void check_oneHot(const Signature& s) {
  s.takes(1, 1);
  const TensorType& labels = s.input(0);
  s.expect(labels.dtype == DType::i32 || labels.dtype == DType::u8, "labels that are i32 or u8");
  std::vector<int64_t> shape = labels.shape;
  shape.push_back(s.integer("classes", 0, int64_t{1} << 46));
  s.output(0, f32(shape));
}
void check_crossEntropy(const Signature& s) {
  s.takes(2, 3, 2);
  const TensorType& logits = s.input(0, f32({kAny, kAny}));
  labels(s, 1, logits.shape[0]);
  if (s.inputs() > 2) s.input(2, f32({logits.shape[0]}));
  s.output(0, f32());
  s.output(1, logits);
}
void check_crossEntropyGrad(const Signature& s) {
  s.takes(3, 4, 1);
  s.inPlace(0, 0);
  const TensorType& probabilities = s.input(0, f32({kAny, kAny}));
  labels(s, 1, probabilities.shape[0]);
  s.input(2, DType::f32, 1);
  if (s.inputs() > 3) s.input(3, f32({probabilities.shape[0]}));
  s.output(0, probabilities);
}
void check_countCorrect(const Signature& s) {
  s.takes(2, 3, 1);
  const int64_t rows = s.input(0, f32({kAny, kAny})).shape[0];
  labels(s, 1, rows);
  if (s.inputs() > 2) s.input(2, f32({rows}));
  s.output(0, f32());
}

}  // namespace ops
}  // namespace flatmin
