import type { Dataset } from '../data/dataset.ts';
import { FlatminError } from '../errors.ts';
import { sizeOf } from '../graph/types.ts';

/** The first `count` examples of a dataset, without a copy. */
export function firstExamples(dataset: Dataset, count: number): Dataset {
  if (count > dataset.count) {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `${count} examples were asked for, and ${dataset.name} has ${dataset.count}`,
    );
  }
  const { inputs, labels } = dataset;
  return {
    ...dataset,
    inputs: { ...inputs, data: inputs.data.subarray(0, count * sizeOf(inputs.shape)) },
    labels: labels.subarray(0, count),
    count,
  };
}
