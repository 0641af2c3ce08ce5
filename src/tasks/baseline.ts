import { isCounted } from '../nn/metric.ts';
import type { Problem } from './task.ts';

/** What needs no network: the same answer to everything, the most frequent one of the training data. */
export interface Baseline {
  /** The class that it answers. */
  readonly answer: string;
  /** Of the test data, by the names of metrics. */
  readonly metrics: Readonly<Record<string, number>>;
}

export function baselineOf({
  data: { train, test },
  classes,
  metrics = [],
  baseline,
}: Problem): Baseline {
  const counts = new Float64Array(train.classes);
  for (const label of train.labels) if (label >= 0) counts[label] += 1;
  const answer = counts.indexOf(Math.max(...counts));
  let [right, all] = [0, 0];
  for (const label of test.labels) {
    if (label < 0) continue;
    all += 1;
    right += Number(label === answer);
  }
  const counted = metrics.filter(isCounted).map(({ name, counts, of }) => {
    const { labels, labelShape = [], count } = test;
    const data = new Float32Array(labels.length * train.classes);
    for (let i = 0; i < labels.length; i++) data[i * train.classes + answer] = 1;
    return [name, of(counts({ data, shape: [count, ...labelShape, train.classes] }, labels))];
  });
  return {
    answer: classes[answer],
    metrics: { accuracy: right / all, ...Object.fromEntries(counted), ...baseline },
  };
}
