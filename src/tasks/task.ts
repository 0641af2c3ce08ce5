import type { Dataset } from '../data/dataset.ts';
import type { Layer } from '../nn/layer.ts';
import type { Loss } from '../nn/loss.ts';
import type { Metric } from '../nn/metric.ts';
import type { Options } from '../optim/variants.ts';
import type { Inputs, Tensor } from '../train/predictor.ts';
import type { TrainingData } from '../train/training.ts';
import type { Sampling, Writing } from '../train/write.ts';
import type { MethodName } from './methods.ts';

/** A network, its data, and what it sets for methods. */
export interface Task {
  readonly name: string;
  /** Of the network, for people. */
  readonly network: string;
  /** What `load` reads, by its name in the catalogue. */
  readonly dataset: string;
  readonly batch: number;
  readonly epochs: number;
  /** The test accuracy to which methods are timed. */
  readonly target: number;
  /** What differs from a method's usual settings, which the catalogue has. */
  readonly settings: Readonly<Partial<Record<MethodName, Options>>>;
  /** Units or channels of the network, where they may be chosen. */
  readonly width?: number;
  /** Changes training images at random, [n, c, h, w] as the network sees them, where that is offered. */
  readonly augmentation?: Layer;
  /** Whether a folder looks as if it held the task's files. */
  isIn(dir: string): boolean;
  load(source: DataSource): Problem;
  /** From what a problem of the task said in `saved`. Throws a `ZodError` for anything else. */
  open(saved: unknown): Reader;
}

export interface DataSource {
  /** Folder of the task's files, or of their folder; generated data where there is none. */
  readonly dir?: string;
  /** Only the first training, test examples. */
  readonly examples?: number;
  readonly testExamples?: number;
  /** Test on rows held out of the training data, and keep the test data as `final`. Default false. */
  readonly validation?: boolean;
  /** Default the task's. */
  readonly width?: number;
  /** Train through the task's augmentation. Default false. */
  readonly augment?: boolean;
}

/** A task with its data: all that `fit` takes. */
export interface Problem {
  readonly data: Required<TrainingData<Dataset>>;
  /** With `validation`: the test data, by which nothing is chosen. */
  readonly final?: Dataset;
  readonly model: Layer;
  /** Default `crossEntropy()`. */
  readonly loss?: Loss;
  /** What its test data are judged by beside the loss's own metrics. */
  readonly metrics?: readonly Metric[];
  /** What metrics that are traced come to by the answer that needs no network. */
  readonly baseline?: Readonly<Record<string, number>>;
  /** Names of the classes, by label. */
  readonly classes: readonly string[];
  /** What goes with the model, as JSON, so that it takes raw inputs when it is loaded. */
  readonly saved: object;
  /** Of a model that writes. */
  readonly writer?: Writer;
}

/** A task's network, and how files become its inputs and its outputs answers. */
export interface Reader {
  readonly model: Layer;
  /** `FLATMIN_DATA` says what is wrong with the file. */
  read(path: string): RawInputs;
  /** Of a model that writes. */
  readonly writer?: Writer;
}

/** Goes on from a prompt, which is not empty, by so many tokens, and returns what is new. */
export type Writer = (
  model: Writing,
  prompt: string,
  options: Sampling & { readonly count: number },
) => Promise<string>;

export interface RawInputs {
  /** As `predict` takes them. */
  readonly inputs: Inputs;
  /** The answer to each, from the outputs for all of them. */
  answers(outputs: Tensor): Answer[];
}

export type Answer =
  | { readonly answer: string; readonly probability: number }
  | { readonly words: readonly string[]; readonly tags: readonly string[] };
