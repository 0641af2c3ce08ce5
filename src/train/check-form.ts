import {
  checkNames,
  checkObject,
  checkWhole,
  isFloat32Array,
  isInt32Array,
  isUint8Array,
  wrongArgument,
} from '../arguments.ts';
import { expectDims } from '../ops/define.ts';
import { isOptimizer } from '../optim/optimizer.ts';
import { checkPatterns } from './frozen.ts';
import type { TrainingData, TrainingOptions } from './training.ts';

/** Throws unless `fit` and `trainStep` can work with the optimizer and the loss. */
export function checkParts({ optimizer, frozen, ...criteria }: Partial<TrainingOptions>): void {
  if (!isOptimizer(optimizer)) {
    throw wrongArgument('optimizer', 'an optimizer', optimizer, 'adamw({ lr: 0.001 }).');
  }
  checkCriteria(criteria);
  if (frozen !== undefined) checkPatterns(frozen);
}

/** Throws unless these are a loss and a list, where they are given. */
export function checkCriteria({
  loss,
  metrics,
}: Pick<Partial<TrainingOptions>, 'loss' | 'metrics'>): void {
  if (loss !== undefined && typeof loss?.trace !== 'function') {
    throw wrongArgument('loss', 'a loss', loss, 'crossEntropy() or squaredError().');
  }
  if (metrics !== undefined && !Array.isArray(metrics)) {
    throw wrongArgument('metrics', 'a list of metrics', metrics);
  }
}

/** Throws unless `data` are datasets to train and to test with, of the arrays that they must have. */
export function checkForm(data: TrainingData): void {
  checkNames<TrainingData>('The data of fit', data, { train: true, test: true });
  checkExamples('train', data.train);
  if (data.test !== undefined) checkExamples('test', data.test);
}

/** Throws unless `given` has the arrays of a dataset. */
export function checkExamples(name: string, given: unknown): void {
  checkObject(`${name} data`, given);
  const { inputs, targets, labels, labelShape, lengths, weights, classes, count } = given as Record<
    string,
    unknown
  >;
  checkWhole(`${name} data: count`, count, 0);
  checkArrays(`${name} data: inputs`, inputs, [isUint8Array, isFloat32Array, isInt32Array]);
  if (weights !== undefined && !isFloat32Array(weights)) {
    throw wrongArgument(`${name} data: weights`, 'a Float32Array, one number an example', weights);
  }
  if (lengths !== undefined) {
    if (!Array.isArray(lengths) || lengths.length === 0) {
      throw wrongArgument(`${name} data: lengths`, 'a list of numbers of steps', lengths);
    }
    for (const length of lengths) checkWhole(`A length of ${name} data`, length, 1);
  }
  if ('targets' in given) {
    checkArrays(`${name} data: targets`, targets, [isFloat32Array]);
    return;
  }
  if (!isUint8Array(labels) && !isInt32Array(labels)) {
    throw wrongArgument(`${name} data: labels`, 'a Uint8Array or an Int32Array', labels);
  }
  if (labelShape !== undefined) expectDims(`${name} data: labelShape`, labelShape);
  checkWhole(`${name} data: classes`, classes, 1);
}

function checkArrays(
  what: string,
  given: unknown,
  kinds: readonly ((data: unknown) => boolean)[],
): void {
  const names = kinds.map((kind) => kind.name.slice(2)).join(', ');
  const { data, shape } = Object(given) as Record<string, unknown>;
  if (!kinds.some((kind) => kind(data))) {
    throw wrongArgument(what, `{ data, shape } with data of ${names}`, given);
  }
  expectDims(what, shape);
}
