import { checkWhole } from '../arguments.ts';

/** How a parameter, or a tensor of a method's state, starts. */
export type Init =
  /** U(−bound, bound). */
  | { readonly kind: 'uniform'; readonly bound: number }
  | { readonly kind: 'constant'; readonly value: number }
  /** Square matrices [.., n, n], or [.., n(n + 1)/2] where packed, with `value` on their diagonals. */
  | { readonly kind: 'diagonal'; readonly value: number; readonly packed?: boolean };

/** Fills a parameter with zeros. */
export const zeros: Init = { kind: 'constant', value: 0 };
/** Fills a parameter with ones. */
export const ones: Init = { kind: 'constant', value: 1 };
export const identity: Init = { kind: 'diagonal', value: 1 };

/** U(±1/√fanIn), PyTorch's default for the weights and biases of linear and convolution layers. */
export const fanInUniform = (fanIn: number): Init => ({
  kind: 'uniform',
  bound: checkWhole('fanIn', fanIn, 0) > 0 ? 1 / Math.sqrt(fanIn) : 0,
});
