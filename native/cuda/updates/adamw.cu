// Adam, AdamW and AMSGrad; formulas in formulas/updates.h.
#include "cuda/base/kernels.h"
#include "cuda/base/scalar.h"
#include "cuda/updates/update.h"
#include "formulas/updates.h"

namespace flatmin {
namespace cuda {

namespace {

struct Adamw {
  using Scalars = formulas::AdamwScalars;
  Scalars fixed;
  double beta1, beta2;
  int64_t lrSlot, stepSlot;

  __device__ Scalars scalars(const double* row, const int32_t* status) const {
    Scalars s = fixed;
    const double t = row[stepSlot] - status[kSkipped];
    s.lr = static_cast<float>(row[lrSlot]);
    s.correction1 = static_cast<float>(1 / (1 - pow(beta1, t)));
    s.correction2 = static_cast<float>(1 / (1 - pow(beta2, t)));
    return s;
  }
  __device__ void operator()(float* v, const Scalars& s) const {
    formulas::adamw(v[0], v[1], v[2], v[3], s, SqrtOf{});
  }
};

struct Amsgrad : Adamw {
  __device__ void operator()(float* v, const Scalars& s) const {
    formulas::amsgrad(v[0], v[1], v[2], v[3], v[4], s, SqrtOf{});
  }
};

}  // namespace

Run op_adamw(Instruction& in) {
  const double beta1 = in.number("beta1");
  const double beta2 = in.number("beta2");
  const float weightDecay = static_cast<float>(in.number("weightDecay"));
  const bool decoupled = in.integer("decoupled") != 0;
  const formulas::AdamwScalars fixed{0,
                                     static_cast<float>(beta1),
                                     static_cast<float>(beta2),
                                     static_cast<float>(in.number("eps")),
                                     decoupled ? 0.0f : weightDecay,
                                     decoupled ? weightDecay : 0.0f,
                                     static_cast<float>(1 - beta1),
                                     static_cast<float>(1 - beta2),
                                     0,
                                     0};
  const Adamw rule{fixed, beta1, beta2, in.integer("lrSlot"), in.integer("stepSlot")};
  if (in.integer("amsgrad") == 0) return updateRun<4>(in, rule);
  return updateRun<5>(in, Amsgrad{rule});
}

}  // namespace cuda
}  // namespace flatmin
