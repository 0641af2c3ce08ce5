// Adagrad (Duchi et al. 2010) and RMSProp (Tieleman & Hinton 2012); formula in formulas/updates.h.
#include "cuda/base/kernels.h"
#include "cuda/base/scalar.h"
#include "cuda/updates/update.h"
#include "formulas/updates.h"

namespace flatmin {
namespace cuda {

namespace {

struct Adagrad {
  using Scalars = formulas::AdagradScalars;
  Scalars fixed;
  int64_t lrSlot;

  __device__ Scalars scalars(const double* row, const int32_t*) const {
    Scalars s = fixed;
    s.lr = static_cast<float>(row[lrSlot]);
    return s;
  }
  __device__ void operator()(float* v, const Scalars& s) const {
    formulas::adagrad(v[0], v[1], v[2], s, SqrtOf{});
  }
};

}  // namespace

Run op_adagrad(Instruction& in) {
  const float weightDecay = static_cast<float>(in.number("weightDecay"));
  const bool decoupled = in.integer("decoupled") != 0;
  const formulas::AdagradScalars fixed{0,
                                       static_cast<float>(in.number("decay")),
                                       static_cast<float>(in.number("weight")),
                                       static_cast<float>(in.number("eps")),
                                       decoupled ? 0.0f : weightDecay,
                                       decoupled ? weightDecay : 0.0f,
                                       in.integer("epsInsideSqrt") != 0};
  return updateRun<3>(in, Adagrad{fixed, in.integer("lrSlot")});
}

}  // namespace cuda
}  // namespace flatmin
