import {
  adam,
  adamw,
  type BindOptions,
  enim,
  lion,
  lionK,
  muon,
  normDescent,
  type Params,
  sgd,
  shampoo,
  soap,
} from '../../src/index.ts';
import { BoundOptimizer } from '../../src/step/bound.ts';
import { METHOD_NAMES, makeOptimizer } from '../../src/tasks/methods.ts';

interface Bindable {
  readonly name: string;
  readonly bind: (params: Params, lr: number, options: BindOptions) => BoundOptimizer;
}

/** Those that need options to have state, or steps that differ from another's. */
const SET: readonly Bindable[] = [
  { name: 'sgd', bind: (params, lr, o) => sgd(params, { lr, momentum: 0.9, ...o }) },
  { name: 'adamw', bind: (params, lr, o) => adamw(params, { lr, ...o }) },
  { name: 'lion', bind: (params, lr, o) => lion(params, { lr, weightDecay: 0.1, ...o }) },
  {
    name: 'shampoo',
    bind: (params, lr, o) => shampoo(params, { lr, momentum: 0.9, epsilon: 0.1, ...o }),
  },
  { name: 'muon', bind: (params, lr, o) => muon(params, { lr, weightDecay: 0.1, ...o }) },
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

/** Of the catalogue's variants those that take a closure, layers or several kinds of tensors. */
const APART = /sam$|^kfac$|^muon$/;
const CALLED: Readonly<Record<string, string>> = {
  'lion-k': 'lionK',
  'norm-descent': 'normDescent',
};

/** Every method that steps from gradients alone, with state where it can have one. */
export const METHODS: readonly Bindable[] = [
  ...SET,
  ...METHOD_NAMES.filter(
    (name) => !APART.test(name) && !SET.some((set) => set.name === (CALLED[name] ?? name)),
  ).map((name) => ({
    name,
    bind: (params: Params, lr: number, options: BindOptions) =>
      new BoundOptimizer(makeOptimizer(name, { lr }), params, options),
  })),
];
