// SGD with momentum, Nesterov's form and weight decay; formula in formulas/updates.h.
#include "cuda/base/kernels.h"
#include "cuda/updates/update.h"
#include "formulas/updates.h"

namespace flatmin {
namespace cuda {

namespace {

struct Sgd {
  using Scalars = formulas::SgdScalars;
  Scalars fixed;
  int64_t lrSlot;
  double decoupled;  // weight decay

  __device__ Scalars scalars(const double* row, const int32_t*) const {
    Scalars s = fixed;
    s.lr = static_cast<float>(row[lrSlot]);
    s.shrink = static_cast<float>(row[lrSlot] * decoupled);
    return s;
  }
  __device__ void operator()(float* v, const Scalars& s) const { formulas::sgd(v[0], v[1], s); }
};

struct SgdMomentum : Sgd {
  __device__ void operator()(float* v, const Scalars& s) const {
    formulas::sgdMomentum(v[0], v[1], v[2], s);
  }
};

}  // namespace

Run op_sgd(Instruction& in) {
  const double weightDecay = in.number("weightDecay");
  const bool decoupled = in.integer("decoupled") != 0;
  const formulas::SgdScalars fixed{0, static_cast<float>(in.number("momentum")),
                                   decoupled ? 0.0f : static_cast<float>(weightDecay), 0,
                                   in.integer("nesterov") != 0};
  const Sgd rule{fixed, in.integer("lrSlot"), decoupled ? weightDecay : 0};
  if (fixed.momentum == 0) return updateRun<2>(in, rule);
  return updateRun<3>(in, SgdMomentum{rule});
}

}  // namespace cuda
}  // namespace flatmin
