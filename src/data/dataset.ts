import { wrongArgument } from '../arguments.ts';
import { counted, shown } from '../shown.ts';

/** Examples in memory: row i of `inputs` is example i. */
interface Examples {
  /** Names the data in reports and fingerprints. */
  name: string;
  /** Generated, not collected: every figure drawn from it must say so. */
  synthetic: boolean;
  /** What the model is given, all examples in one array. */
  inputs: {
    /** Of all examples, one after the other. */
    data: Uint8Array | Float32Array | Int32Array;
    /** Of one example, e.g. [1, 32, 32]. */
    shape: number[];
  };
  /** How many examples there are. */
  count: number;
  /**
   * Lengths that batches of token rows [steps], −1 past each row's end, may be padded to instead of the whole: each gets
   * the least that holds its longest row. For models that work at any length. Default the whole alone.
   */
  lengths?: readonly number[];
  /**
   * What each example weighs in losses and gradients, numbers ≥ 0; of tokens or other labels of one example each weighs so
   * much. Means are over what examples weigh together, and metrics count all examples alike. Default 1 each.
   */
  weights?: Float32Array;
  /** The network sees x · scale[c] + shift[c] for an input x of channel c. Default x itself. */
  normalise?: {
    /** The factor of each channel, [channels]. */
    scale: number[];
    /** What is added to each channel after the factor, [channels]. */
    shift: number[];
  };
}

/** Examples of classes: `labels[i]` is that of example i, or row i the labels of its tokens. */
export interface Dataset extends Examples {
  /** Class indices from 0, one an example, or as many as `labelShape` says; −1 is padding. */
  labels: Uint8Array | Int32Array;
  /** Of the labels of one example, e.g. [tokens], where −1 is padding for `tokenCrossEntropy()`. Default [], one label. */
  labelShape?: number[];
  /** How many classes there are. */
  classes: number;
}

/** Examples with numbers to predict: row i of `targets` belongs to example i. */
export interface RegressionDataset extends Examples {
  /** Numbers to predict, for losses as `squaredError()`. */
  targets: {
    /** Of all examples, one after the other. */
    data: Float32Array;
    /** Of one example, as the model's output, e.g. [3]. */
    shape: number[];
  };
}

/** Examples in memory, of classes or with numbers to predict. */
export type AnyDataset = Dataset | RegressionDataset;

/** A dataset as `console.log` shows it: how many examples of what, without their numbers. */
export const shownAs = <D extends AnyDataset>(dataset: D): D =>
  shown(dataset, () => {
    const { name, count, inputs, synthetic } = dataset;
    const wanted =
      'targets' in dataset
        ? `targets [${dataset.targets.shape.join(', ')}]`
        : `${dataset.classes} class${dataset.classes === 1 ? '' : 'es'}`;
    const kind = inputs.data.constructor.name;
    return `${name}: ${synthetic ? 'generated, ' : ''}${counted(count, 'example')} of ${kind} [${inputs.shape.join(', ')}], ${wanted}`;
  });

/** Bytes as (x / 255 − mean) / std, per channel. */
export function standardise(mean: number[], std: number[]): Dataset['normalise'] {
  for (const [name, list] of Object.entries({ mean, std })) {
    if (Array.isArray(list) && list.length === mean.length && list.every(Number.isFinite)) continue;
    throw wrongArgument(`${name} of standardise`, 'a list of numbers, one a channel', list);
  }
  return {
    scale: std.map((s) => 1 / (255 * s)),
    shift: mean.map((m, c) => -m / std[c]),
  };
}
