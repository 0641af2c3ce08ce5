/** Examples in memory: row i of `inputs` is example i, `labels[i]` its class. */
export interface Dataset {
  name: string;
  /** Generated, not collected: every figure drawn from it must say so. */
  synthetic: boolean;
  inputs: {
    data: Uint8Array | Float32Array | Int32Array;
    /** Of one example, e.g. [1, 32, 32]. */
    shape: number[];
  };
  labels: Uint8Array | Int32Array;
  classes: number;
  count: number;
  /** The network sees x · scale[c] + shift[c] for an input x of channel c. */
  normalise?: { scale: number[]; shift: number[] };
}

/** Bytes as (x / 255 − mean) / std, per channel. */
export function standardise(mean: number[], std: number[]): Dataset['normalise'] {
  return {
    scale: std.map((s) => 1 / (255 * s)),
    shift: mean.map((m, c) => -m / std[c]),
  };
}
