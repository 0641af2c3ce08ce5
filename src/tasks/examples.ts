import type { Dataset } from '../data/dataset.ts';
import { FlatminError } from '../errors.ts';
import { sizeOf } from '../graph/types.ts';
import type { DataSource, Problem } from './task.ts';

/** Of the training rows, where a task has no validation data of its own. */
const VALIDATION = 0.2;

/** The first examples that were asked for; for validation the last fifth of the training rows is tested on. */
export function chosenExamples(
  { train, test }: { readonly train: Dataset; readonly test: Dataset },
  { examples, testExamples, validation = false }: DataSource,
): Pick<Problem, 'data' | 'final'> {
  const kept = validation ? train.count - Math.ceil(VALIDATION * train.count) : train.count;
  const chosen = rows(train, 0, examples ?? kept, kept);
  const final = firstExamples(test, testExamples);
  if (!validation) return { data: { train: chosen, test: final } };
  const held = rows(train, kept, testExamples ?? train.count - kept, train.count - kept);
  return { data: { train: chosen, test: held }, final };
}

/** The first `count` examples of a dataset, or all, without a copy. */
export const firstExamples = (dataset: Dataset, count = dataset.count): Dataset =>
  rows(dataset, 0, count, dataset.count);

/** The first `count` of a list, or all; `name` is what errors call it. */
export function firstOf<T>(
  list: readonly T[],
  count: number | undefined,
  name: string,
): readonly T[] {
  requireSome(count ?? 0, list.length, name);
  return list.slice(0, count);
}

function requireSome(count: number, most: number, name: string): void {
  if (count <= most) return;
  throw new FlatminError(
    'FLATMIN_ARGUMENT',
    `${count} examples were asked for, and ${name} has ${most}`,
  );
}

/** `count` examples from `begin` on, of which there are `most`. */
function rows(dataset: Dataset, begin: number, count: number, most: number): Dataset {
  requireSome(count, most, dataset.name);
  const { inputs, labels, labelShape = [], weights } = dataset;
  const cut = <A extends { subarray(begin: number, end: number): A }>(data: A, width: number): A =>
    data.subarray(begin * width, (begin + count) * width);
  return {
    ...dataset,
    inputs: {
      ...inputs,
      data: cut(inputs.data as Uint8Array, sizeOf(inputs.shape)) as typeof inputs.data,
    },
    labels: cut(labels as Uint8Array, sizeOf(labelShape)) as typeof labels,
    ...(weights && { weights: cut(weights, 1) }),
    count,
  };
}
