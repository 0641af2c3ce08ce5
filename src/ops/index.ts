/** Functions over traced values, for layers and losses of one's own. */
export { type GeluOptions, gelu, silu } from './activations.ts';
export { type AttentionOptions, attention } from './attention.ts';
export {
  type RandomCropOptions,
  type RandomFlipOptions,
  randomCrop2d,
  randomFlip,
} from './augment.ts';
export {
  add,
  div,
  equal,
  greater,
  greaterEqual,
  less,
  lessEqual,
  logicalAnd,
  logicalNot,
  logicalOr,
  maximum,
  minimum,
  mul,
  notEqual,
  type Scalar,
  square,
  sub,
} from './binary.ts';
export { clip } from './clip.ts';
export { concat, split, stack } from './concat.ts';
export { type Conv2dOptions, conv2d } from './conv2d.ts';
export { dropout } from './dropout.ts';
export { affine, neg } from './elementwise.ts';
export { embedding } from './embedding.ts';
export { fill } from './fill.ts';
export { gather, normalise } from './gather.ts';
export { layerNorm, rmsNorm } from './layer_norm.ts';
export { linear, matmul } from './linear.ts';
export { logSoftmax } from './log_softmax.ts';
export { type LstmWeights, lstm } from './lstm.ts';
export { oneHot } from './one_hot.ts';
export { avgPool2d, maxPool2d, type PoolOptions } from './pool.ts';
export { pow } from './pow.ts';
export type { SequenceOptions } from './recurrence.ts';
export { argmax, argmin, max, mean, min, type ReduceOptions, sum } from './reduce.ts';
export { flatten, reshape } from './reshape.ts';
export { type Activation, type RnnWeights, rnn } from './rnn.ts';
export { type RotaryOptions, rotary } from './rotary.ts';
export { lengths } from './sequence.ts';
export { countCorrect, crossEntropy, softmax } from './softmax.ts';
export { abs, exp, log, relu, sigmoid, sign, sqrt, tanh } from './unary.ts';
export {
  broadcastTo,
  flip,
  type Padding,
  pad,
  permute,
  repeat,
  type SliceRange,
  slice,
  tile,
  transpose,
} from './views.ts';
export { where } from './where.ts';
