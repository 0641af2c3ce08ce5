/** What the float64 oracles of the optimizers share. They are written from the published equations. */

export interface Tensor64 {
  readonly data: Float64Array;
  readonly shape: readonly number[];
}

export type Tensors64 = Readonly<Record<string, Tensor64>>;
export type Grads64 = Readonly<Record<string, Float64Array>>;

/** Takes step t (from 1) with the learning rate lr, in place. */
export type Oracle = (params: Tensors64, grads: Grads64, lr: number, t: number) => void;

/** An oracle from a rule for one element: new θ from θ, g, and its state, which the rule updates. */
export function elementwise(
  rule: (theta: number, g: number, state: Record<string, number>, lr: number, t: number) => number,
): Oracle {
  const states = new Map<string, Record<string, number>>();
  return (params, grads, lr, t) => {
    for (const [name, { data }] of Object.entries(params)) {
      data.forEach((theta, i) => {
        const key = `${name}[${i}]`;
        const state = states.get(key) ?? { m: 0, v: 0 };
        states.set(key, state);
        data[i] = rule(theta, grads[name][i], state, lr, t);
      });
    }
  };
}
