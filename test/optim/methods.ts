import {
  adamw,
  type BindOptions,
  type BoundOptimizer,
  lion,
  muon,
  type Params,
  sgd,
  shampoo,
} from '../../src/index.ts';

/** Every method that steps from gradients alone, with state where it can have one. */
export const METHODS: readonly {
  name: string;
  bind: (params: Params, lr: number, options: BindOptions) => BoundOptimizer;
}[] = [
  { name: 'sgd', bind: (params, lr, o) => sgd(params, { lr, momentum: 0.9, ...o }) },
  { name: 'adamw', bind: (params, lr, o) => adamw(params, { lr, ...o }) },
  { name: 'lion', bind: (params, lr, o) => lion(params, { lr, weightDecay: 0.1, ...o }) },
  {
    name: 'shampoo',
    bind: (params, lr, o) => shampoo(params, { lr, momentum: 0.9, epsilon: 0.1, ...o }),
  },
  { name: 'muon', bind: (params, lr, o) => muon(params, { lr, weightDecay: 0.1, ...o }) },
];
