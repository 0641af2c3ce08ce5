// The ops that have a CPU kernel, one line each: `Run op_NAME(Instruction&)` prepares op NAME.
#pragma once

#include "program/kernel.h"

// clang-format off
#define FLATMIN_KERNELS(KERNEL) \
  KERNEL(fill) \
  KERNEL(relu) \
  KERNEL(tanh) \
  KERNEL(sigmoid) \
  KERNEL(exp) \
  KERNEL(log) \
  KERNEL(sqrt) \
  KERNEL(square) \
  KERNEL(sign) \
  KERNEL(abs) \
  KERNEL(affine) \
  KERNEL(reluGrad) \
  KERNEL(tanhGrad) \
  KERNEL(sigmoidGrad) \
  KERNEL(add) \
  KERNEL(sub) \
  KERNEL(mul) \
  KERNEL(div) \
  KERNEL(maximum) \
  KERNEL(minimum) \
  KERNEL(greaterEqual) \
  KERNEL(less) \
  KERNEL(sum) \
  KERNEL(expand) \
  KERNEL(max) \
  KERNEL(maxGrad) \
  KERNEL(takeAlongAxis) \
  KERNEL(softmax) \
  KERNEL(softmaxGrad) \
  KERNEL(crossEntropy) \
  KERNEL(crossEntropyGrad) \
  KERNEL(countCorrect) \
  KERNEL(embedding) \
  KERNEL(lengths) \
  KERNEL(rowWeights) \
  KERNEL(previousSteps) \
  KERNEL(lstm) \
  KERNEL(lstmGrad) \
  KERNEL(lstmTangent) \
  KERNEL(gather) \
  KERNEL(scatterAdd) \
  KERNEL(batchRows) \
  KERNEL(normalise) \
  KERNEL(dropout) \
  KERNEL(dropoutGrad) \
  KERNEL(sampleLabels) \
  KERNEL(sampleNormal) \
  KERNEL(drawUniform) \
  KERNEL(setDiagonal) \
  KERNEL(checkFinite) \
  KERNEL(sgd) \
  KERNEL(adamw) \
  KERNEL(adagrad) \
  KERNEL(lion) \
  KERNEL(lionK) \
  KERNEL(lionLp) \
  KERNEL(lionLargest) \
  KERNEL(angularNoise) \
  KERNEL(enim) \
  KERNEL(normDescent) \
  KERNEL(momentum) \
  KERNEL(globalNorm) \
  KERNEL(samPerturb) \
  KERNEL(assign) \
  KERNEL(keep) \
  KERNEL(lpDirection) \
  KERNEL(linear) \
  KERNEL(matmul) \
  KERNEL(conv2d) \
  KERNEL(conv2dGradInput) \
  KERNEL(conv2dGradWeight) \
  KERNEL(maxPool2d) \
  KERNEL(maxPool2dGrad) \
  KERNEL(avgPool2d) \
  KERNEL(avgPool2dGrad) \
  KERNEL(batchNorm) \
  KERNEL(batchNormGrad) \
  KERNEL(trackStatistics) \
  KERNEL(splitBlocks) \
  KERNEL(joinBlocks) \
  KERNEL(modeGram) \
  KERNEL(modeApply) \
  KERNEL(graft) \
  KERNEL(soapDirection) \
  KERNEL(soapBases) \
  KERNEL(inverseRoots) \
  KERNEL(inverseRoot) \
  KERNEL(eigh) \
  KERNEL(orthogonalize) \
  KERNEL(kfacInverses) \
  KERNEL(kfacEigen) \
  KERNEL(countUpdate) \
  KERNEL(kfacInputFactor) \
  KERNEL(kfacTokenFactor) \
  KERNEL(kfacGradFactor) \
  KERNEL(kfacJoin) \
  KERNEL(kfacSplit) \
  KERNEL(kfacModel) \
  KERNEL(klClip)
// clang-format on

namespace flatmin {
namespace FLATMIN_ISA {

#define FLATMIN_DECLARE(name) Run op_##name(Instruction& instruction);
FLATMIN_KERNELS(FLATMIN_DECLARE)
#undef FLATMIN_DECLARE

extern const KernelEntry kKernels[];

}  // namespace FLATMIN_ISA
}  // namespace flatmin
