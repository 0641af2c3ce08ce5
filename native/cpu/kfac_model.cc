// kfacModel: α and μ of K-FAC's quadratic model, and what it promises; formula in
// formulas/quadratic_model.h.
#include "../formulas/quadratic_model.h"
#include "kernels.h"

namespace flatmin {
namespace FLATMIN_ISA {

// Σ xy in eight lanes, in an order of the length alone.
static double innerProduct(const float* x, const float* y, int64_t n) {
  double lanes[8] = {};
  for (int64_t i = 0; i < n; ++i) lanes[i % 8] += static_cast<double>(x[i]) * y[i];
  double total = 0;
  for (double lane : lanes) total += lane;
  return total;
}

Run op_kfacModel(Instruction& in) {
  const std::vector<Operand> inputs = in.inputs;
  const std::vector<Operand> outputs = in.outputs;
  const double weightDecay = in.number("weightDecay");
  return [=](const Step& step) {
    formulas::QuadraticModel model = {*inputs[0].f32(step), *inputs[1].f32(step),
                                      *inputs[2].f32(step), 0, 0};
    const double shift = *inputs[3].f32(step) + weightDecay;
    for (size_t k = 4; k + 2 < inputs.size(); k += 3) {
      const float* v = inputs[k].f32(step);
      const float* u = inputs[k + 1].f32(step);
      const float* d = inputs[k + 2].f32(step);
      const int64_t n = inputs[k].size();
      model.uCu += shift * innerProduct(u, u, n);
      model.uCd += shift * innerProduct(u, d, n);
      model.dCd += shift * innerProduct(d, d, n);
      model.slopeU += innerProduct(v, u, n);
      model.slopeD += innerProduct(v, d, n);
    }
    const formulas::ModelStep best = formulas::solve(model);
    *outputs[0].f32(step) = static_cast<float>(best.alpha);
    *outputs[1].f32(step) = static_cast<float>(best.mu);
    *outputs[2].f32(step) = static_cast<float>(best.change);
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
