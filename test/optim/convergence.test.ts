/** Every method that steps from gradients, on a parabola and on Rosenbrock's function, within stated steps. */
import { describe, expect, it } from 'vitest';
import {
  adagrad,
  adam,
  adamw,
  type BindOptions,
  type BoundOptimizer,
  cosine,
  enim,
  lion,
  lionK,
  muon,
  normDescent,
  type Params,
  type Rate,
  rmsprop,
  sam,
  sgd,
  shampoo,
} from '../../src/index.ts';
import { present } from './devices.ts';
import { type Landscape, parabola, rosenbrock } from './landscapes.ts';

type Options = BindOptions & { lr: Rate };

interface Setting {
  readonly name: string;
  readonly bind: (params: Params, options: Options) => BoundOptimizer;
  /** Rates at the start of a cosine, and values reached, of 200 steps on the parabola and 4000 on Rosenbrock's. */
  readonly parabola: { readonly lr: number; readonly below: number };
  readonly rosenbrock: { readonly lr: number; readonly below: number };
}

const setting = (
  name: string,
  bind: Setting['bind'],
  [first, below]: readonly [number, number],
  [second, low]: readonly [number, number],
): Setting => ({
  name,
  bind,
  parabola: { lr: first, below },
  rosenbrock: { lr: second, below: low },
});

const METHODS: readonly Setting[] = [
  setting('sgd', (p, o) => sgd(p, o), [0.2, 1e-9], [0.005, 0.01]),
  setting('momentum', (p, o) => sgd(p, { momentum: 0.9, ...o }), [0.1, 1e-6], [0.002, 1e-6]),
  setting('adagrad', (p, o) => adagrad(p, o), [2, 1e-9], [1, 0.02]),
  setting('rmsprop', (p, o) => rmsprop(p, o), [0.5, 1e-9], [0.01, 1e-3]),
  setting('adam', (p, o) => adam(p, o), [1, 1e-6], [0.2, 1e-6]),
  setting('amsgrad', (p, o) => adam(p, { amsgrad: true, ...o }), [2, 1e-6], [0.5, 1e-6]),
  setting('adamw', (p, o) => adamw(p, { weightDecay: 0, ...o }), [1, 1e-6], [0.2, 1e-6]),
  setting('lion', (p, o) => lion(p, o), [0.5, 1e-5], [0.005, 1e-5]),
  setting(
    'lionK lp',
    (p, o) => lionK(p, { K: { kind: 'lp', p: 1.5 }, ...o }),
    [0.5, 1e-5],
    [0.005, 1e-6],
  ),
  setting(
    'lionK huber',
    (p, o) => lionK(p, { K: { kind: 'huber', e: 1 }, ...o }),
    [2, 1e-6],
    [0.02, 1e-6],
  ),
  setting(
    'lionK nuclear',
    (p, o) => lionK(p, { K: { kind: 'nuclear' }, ...o }),
    [0.2, 1e-4],
    [0.005, 1e-6],
  ),
  setting('enim', (p, o) => enim(p, o), [0.2, 1e-4], [0.002, 1e-5]),
  setting('normDescent l2', (p, o) => normDescent(p, o), [0.1, 1e-6], [0.5, 1e-6]),
  setting(
    'normDescent linf',
    (p, o) => normDescent(p, { norm: 'linf', ...o }),
    [0.05, 1e-6],
    [1, 1e-3],
  ),
  setting(
    'normDescent l1',
    (p, o) => normDescent(p, { norm: 'l1', ...o }),
    [0.1, 1e-6],
    [0.005, 0.01],
  ),
  setting(
    'normDescent spectral',
    (p, o) => normDescent(p, { norm: 'spectral', ...o }),
    [0.1, 1e-6],
    [0.5, 1e-6],
  ),
  setting(
    'normDescent nuclear dual',
    (p, o) => normDescent(p, { norm: 'nuclear', scale: 'dual', ...o }),
    [0.2, 1e-9],
    [0.005, 0.01],
  ),
  setting('muon', (p, o) => muon(p, o), [0.5, 1e-5], [0.005, 1e-6]),
  setting('shampoo', (p, o) => shampoo(p, o), [2, 1e-9], [1, 0.01]),
  setting(
    'sam',
    (p, { lr, ...o }) => sam(p, sgd({ lr }), { rho: 0.01, ...o }),
    [0.2, 1e-6],
    [0.002, 0.05],
  ),
];

async function descend(
  { value, gradient, start }: Landscape,
  { bind }: Setting,
  { lr, steps, device }: { lr: number; steps: number; device: 'js' | 'cpu' },
): Promise<number> {
  const data = Float32Array.from(start);
  const optimizer = bind({ w: { data, shape: [2, 1] } }, { lr: cosine(lr, { steps }), device });
  const grads = () => ({ w: Float32Array.from(gradient(data[0], data[1])) });
  for (let t = 0; t < steps; t++) {
    if (optimizer.optimizer.name === 'sam') {
      await optimizer.step(() => ({ loss: value(data[0], data[1]), grads: grads() }));
    } else optimizer.step(grads());
  }
  return value(data[0], data[1]);
}

describe.each(present)('convergence on %s', (device) => {
  it.each(METHODS)('of $name on a parabola within 200 steps', async (method) => {
    const { lr, below } = method.parabola;
    expect(await descend(parabola, method, { lr, steps: 200, device })).toBeLessThan(below);
  });

  it.each(METHODS)('of $name on Rosenbrock’s function within 4000 steps', async (method) => {
    const { lr, below } = method.rosenbrock;
    expect(await descend(rosenbrock, method, { lr, steps: 4000, device })).toBeLessThan(below);
  });
});
