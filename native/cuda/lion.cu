// Lion (arXiv 2302.06675): one pass over θ, g, m; formula in formulas/updates.h.
#include "cuda/kernels.h"
#include "cuda/scalar.h"
#include "cuda/update.h"
#include "formulas/updates.h"

namespace flatmin {
namespace cuda {

struct Lion {
  using Scalars = formulas::LionScalars;
  Scalars fixed;
  int64_t lrSlot;

  __device__ Scalars scalars(const double* row, const int32_t*) const {
    Scalars s = fixed;
    s.lr = static_cast<float>(row[lrSlot]);
    return s;
  }
  __device__ void operator()(float* v, const Scalars& s) const {
    formulas::lion(v[0], v[1], v[2], s, SignOf{});
  }
};

Run op_lion(Instruction& in) {
  const double beta1 = in.number("beta1");
  const double beta2 = in.number("beta2");
  const formulas::LionScalars fixed{0,
                                    static_cast<float>(beta1),
                                    static_cast<float>(beta2),
                                    static_cast<float>(in.number("weightDecay")),
                                    static_cast<float>(1 - beta1),
                                    static_cast<float>(1 - beta2)};
  return updateRun<3>(in, Lion{fixed, in.integer("lrSlot")});
}

}  // namespace cuda
}  // namespace flatmin
