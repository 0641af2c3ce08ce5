import {
  adagrad,
  adam,
  adamw,
  type BindOptions,
  type BoundOptimizer,
  enim,
  lion,
  lionK,
  muon,
  normDescent,
  type Params,
  rmsprop,
  sgd,
  shampoo,
  soap,
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
  { name: 'adagrad', bind: (params, lr, o) => adagrad(params, { lr, ...o }) },
  { name: 'rmsprop', bind: (params, lr, o) => rmsprop(params, { lr, ...o }) },
  { name: 'adam', bind: (params, lr, o) => adam(params, { lr, amsgrad: true, ...o }) },
  {
    name: 'lionK',
    bind: (params, lr, o) => lionK(params, { lr, K: { kind: 'largest', k: 5 }, ...o }),
  },
  { name: 'enim', bind: (params, lr, o) => enim(params, { lr, ...o }) },
  {
    name: 'normDescent',
    bind: (params, lr, o) => normDescent(params, { lr, norm: 'l1', momentum: 0.9, ...o }),
  },
  { name: 'soap', bind: (params, lr, o) => soap(params, { lr, eps: 1e-3, ...o }) },
  {
    name: 'lion with bf16 momentum',
    bind: (params, lr, o) => lion(params, { lr, momentumDtype: 'bf16', ...o }),
  },
];
