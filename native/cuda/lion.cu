// Lion (arXiv 2302.06675): one pass over θ, g, m; formula in formulas/updates.h.
#include "cuda/kernels.h"
#include "cuda/lion_rule.h"
#include "cuda/update.h"

namespace flatmin {
namespace cuda {

Run op_lion(Instruction& in) { return updateRun<3>(in, LionRule<SignOf>{LionSlots(in), SignOf{}}); }

}  // namespace cuda
}  // namespace flatmin
