import { checkWhole } from '../arguments.ts';
import type { Numbers } from '../graph/kernel.ts';
import { forEachWord, STREAM, toUniform } from '../random/philox.ts';

/** How a parameter starts. */
export type Init =
  /** U(−bound, bound). */
  | { readonly kind: 'uniform'; readonly bound: number }
  | { readonly kind: 'constant'; readonly value: number };

export const zeros: Init = { kind: 'constant', value: 0 };
export const ones: Init = { kind: 'constant', value: 1 };

/** U(±1/√fanIn), PyTorch's default for the weights and biases of linear and convolution layers. */
export const fanInUniform = (fanIn: number): Init => ({
  kind: 'uniform',
  bound: checkWhole('fanIn', fanIn, 0) > 0 ? 1 / Math.sqrt(fanIn) : 0,
});

/** Fills the parameter number `index` of a model; a function of the seed alone. */
export function initialise(data: Numbers, init: Init, seed: number, index: number): void {
  if (init.kind === 'constant') {
    data.fill(init.value);
    return;
  }
  forEachWord({ seed, stream: STREAM.init + index, step: 0 }, data.length, (i, word) => {
    data[i] = (2 * toUniform(word) - 1) * init.bound;
  });
}
