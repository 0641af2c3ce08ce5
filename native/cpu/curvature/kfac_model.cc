// kfacModel: α and μ of K-FAC's quadratic model, and what it promises; formula in
// formulas/quadratic_model.h.
#include "cpu/base/kernels.h"
#include "formulas/quadratic_model.h"

namespace flatmin {
namespace FLATMIN_ISA {

namespace {

// Inner products of the gradient v, the proposal u and the last update d, in lanes that are added
// in order.
struct Products {
  static constexpr int kWidth = 8;
  double uu[kWidth], ud[kWidth], dd[kWidth], vu[kWidth], vd[kWidth];

  void add(int64_t lane, double v, double u, double d) {
    uu[lane] += u * u;
    ud[lane] += u * d;
    dd[lane] += d * d;
    vu[lane] += v * u;
    vd[lane] += v * d;
  }
  void add(const float* v, const float* u, const float* d, int64_t n) {
    int64_t i = 0;
    for (; i + kWidth <= n; i += kWidth)
      for (int64_t lane = 0; lane < kWidth; ++lane)
        add(lane, v[i + lane], u[i + lane], d[i + lane]);
    for (int64_t lane = 0; i + lane < n; ++lane) add(lane, v[i + lane], u[i + lane], d[i + lane]);
  }
  static double total(const double (&lanes)[kWidth]) {
    double sum = 0;
    for (double lane : lanes) sum += lane;
    return sum;
  }
};

}  // namespace

Run op_kfacModel(Instruction& in) {
  const std::vector<Operand> inputs = in.inputs;
  const std::vector<Operand> outputs = in.outputs;
  const double weightDecay = in.number("weightDecay");
  return [=](const Step& step) {
    const auto scalar = [&](size_t k) { return static_cast<double>(*inputs[k].f32(step)); };
    Products all = {};
    for (size_t k = 4; k + 2 < inputs.size(); k += 3)
      all.add(inputs[k].f32(step), inputs[k + 1].f32(step), inputs[k + 2].f32(step),
              inputs[k].size());
    const double shift = scalar(3) + weightDecay;
    const formulas::ModelStep best = formulas::solve(
        {scalar(0) + shift * Products::total(all.uu), scalar(1) + shift * Products::total(all.ud),
         scalar(2) + shift * Products::total(all.dd), Products::total(all.vu),
         Products::total(all.vd)});
    *outputs[0].f32(step) = static_cast<float>(best.alpha);
    *outputs[1].f32(step) = static_cast<float>(best.mu);
    *outputs[2].f32(step) = static_cast<float>(best.change);
  };
}

}  // namespace FLATMIN_ISA
}  // namespace flatmin
