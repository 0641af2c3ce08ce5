export { DEVICES, type DeviceName } from './backend/device.ts';
export { CIFAR10_CLASSES, loadCifar10 } from './data/cifar10.ts';
export { parseConll, readConll, type Sentence } from './data/conll.ts';
export { type CsvOptions, parseCsv, readCsv, type Table } from './data/csv.ts';
export type { AnyDataset, Dataset, RegressionDataset } from './data/dataset.ts';
export { standardise } from './data/dataset.ts';
export { syntheticDigits } from './data/digits.ts';
export {
  dataset,
  type LabelledOptions,
  type Rows,
  type TargetOptions,
} from './data/from-arrays.ts';
export { loadMnist } from './data/mnist.ts';
export { type SpanScore, spanF1 } from './data/spans.ts';
export {
  type SplitOptions,
  splitRows,
  TableTransform,
  type TransformJSON,
  type TransformOptions,
} from './data/table.ts';
export { type TokenWindowOptions, tokenWindows } from './data/text.ts';
export {
  ByteTokenizer,
  CharacterTokenizer,
  type Tokenizer,
  type TokenizerJSON,
} from './data/tokenizer.ts';
export { Vocabulary, WORD_SHAPES, type WordShape, wordShape } from './data/vocabulary.ts';
export { type BackendInfo, backend } from './doors/backend.ts';
export { type FitOptions, type Fitted, fit, type InTraining } from './doors/fit.ts';
export {
  eigh,
  type InverseRoot,
  type InverseRootOptions,
  type InverseRoots,
  inverseRoot,
  type MatrixBatch,
  type MatrixTensor,
  type OrthogonalizeOptions,
  orthogonalize,
} from './doors/linalg.ts';
export { type LoadModelOptions, loadModel, readMetadata } from './doors/load-model.ts';
export { type TrainStep, type TrainStepOptions, trainStep } from './doors/train-step.ts';
export { type ErrorCode, FlatminError } from './errors.ts';
export type { Value } from './graph/graph.ts';
export type { Precision } from './graph/precision.ts';
export type { Shape } from './graph/types.ts';
export { type CrossEntropyOptions, crossEntropy, tokenCrossEntropy } from './nn/cross-entropy.ts';
export { entityF1 } from './nn/entity-f1.ts';
export { type GptOptions, gpt } from './nn/gpt.ts';
export { fanInUniform, type Init, ones, zeros } from './nn/init.ts';
export {
  type Description,
  describeModel,
  type Layer,
  type ParameterSpec,
  type Scope,
} from './nn/layer.ts';
export * from './nn/layers/index.ts';
export { type Loss, squaredError } from './nn/loss.ts';
export {
  binaryCrossEntropy,
  type HuberOptions,
  huber,
  meanAbsoluteError,
  meanSquaredError,
} from './nn/mean-losses.ts';
export {
  accuracy,
  type CountedMetric,
  type Metric,
  type Outputs,
  type TracedMetric,
} from './nn/metric.ts';
export {
  type LstmTaggerOptions,
  lenet5,
  lstmTagger,
  type MlpOptions,
  mlp,
  type Resnet18Options,
  resnet18,
} from './nn/models.ts';
export { perplexity } from './nn/perplexity.ts';
export { sequential } from './nn/sequential.ts';
export { type ExampleForm, type LayerSummary, type ModelSummary, summary } from './nn/summary.ts';
export * as ops from './ops/index.ts';
export type { NonFinitePolicy } from './ops/status.ts';
export * from './optim/catalogue.ts';
export type { Regularisation } from './optim/optimizer.ts';
export {
  type CosineOptions,
  constant,
  cosine,
  type Period,
  type StepDecayOptions,
  scheduleFrom,
  stepDecay,
  type WarmRestartsOptions,
  warmRestarts,
  warmup,
} from './optim/schedule.ts';
export type { ArrayTensor, Grads, Params } from './step/arrays.ts';
export type { BindOptions, BoundOptimizer, Evaluated, Optimizer } from './step/bound.ts';
export type { LayerBatch } from './step/observation.ts';
export type { Progress, Rate, Schedule } from './step/rate.ts';
export type { StepScalars } from './step/scalars.ts';
export type { Loaded, LoadOptions, StateDict } from './step/state-dict.ts';
export { mergeSweeps } from './sweep/merge.ts';
export type { Choice, Ranked } from './sweep/rank.ts';
export type { Dimension, Draws, Point, Range, Space } from './sweep/space.ts';
export { type SweepOptions, type Swept, sweep } from './sweep/sweep.ts';
export type { Finished, Measures, Outcome, Trial } from './sweep/trial.ts';
export type { EpochMetrics, StepEvaluation } from './train/checkpoint.ts';
export type {
  Curvature,
  CurvatureMatrix,
  Density,
  DensityOptions,
  Eigenpair,
  EigenvaluesOptions,
  Estimate,
  ProbeOptions,
  SharpnessOptions,
} from './train/curvature.ts';
export type { Best, EarlyStoppingOptions } from './train/early-stopping.ts';
export type { Evaluation } from './train/evaluate.ts';
export type { NamePattern } from './train/frozen.ts';
export type { Stopped } from './train/halt.ts';
export type { CurvatureOptions, EvaluateOptions, TrainedModel } from './train/model.ts';
export type { SaveOptions } from './train/model-file.ts';
export type { Inputs, Tensor } from './train/predictor.ts';
export type { StepReport, TrainingData } from './train/training.ts';
export { type Sampling, type WriteOptions, type Writing, writeTokens } from './train/write.ts';
