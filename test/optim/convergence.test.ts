/** Every method that steps from gradients, on a parabola and on Rosenbrock's function, within stated steps. */
import { describe, expect, it } from 'vitest';
import {
  adagrad,
  adam,
  adamw,
  type BindOptions,
  type BoundOptimizer,
  clip,
  cosine,
  enim,
  groups,
  type KfacOptions,
  kfac,
  type Layer,
  type LionKOptions,
  lion,
  lionK,
  muon,
  muonWithAdamW,
  normDescent,
  type Optimizer,
  ops,
  type Params,
  type Rate,
  rmsprop,
  sam,
  sgd,
  shampoo,
  soap,
  squaredError,
  trainStep,
  zeros,
} from '../../src/index.ts';
import { present } from './devices.ts';
import { type Landscape, parabola, rosenbrock } from './landscapes.ts';

type Options = BindOptions & { lr: Rate };

interface Setting {
  readonly name: string;
  readonly bind: (params: Params, options: Options) => BoundOptimizer;
  /** Tensors that hold the two numbers. Default one, a matrix. */
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
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

const lionKOf = (
  K: NonNullable<LionKOptions['K']>,
  ...reached: [readonly [number, number], readonly [number, number]]
): Setting => setting(`lionK ${K.kind}`, (p, o) => lionK(p, { K, ...o }), ...reached);

const METHODS: readonly Setting[] = [
  setting('sgd', (p, o) => sgd(p, o), [0.2, 1e-9], [0.005, 0.01]),
  setting('momentum', (p, o) => sgd(p, { momentum: 0.9, ...o }), [0.1, 1e-6], [0.002, 1e-6]),
  setting(
    'nesterov',
    (p, o) => sgd(p, { momentum: 0.9, nesterov: true, ...o }),
    [0.1, 1e-9],
    [0.001, 1e-6],
  ),
  setting('adagrad', (p, o) => adagrad(p, o), [2, 1e-9], [1, 0.02]),
  setting('rmsprop', (p, o) => rmsprop(p, o), [0.5, 1e-9], [0.01, 1e-3]),
  setting('adam', (p, o) => adam(p, o), [1, 1e-6], [0.2, 1e-6]),
  setting('amsgrad', (p, o) => adam(p, { amsgrad: true, ...o }), [2, 1e-6], [0.5, 1e-6]),
  setting('adamw', (p, o) => adamw(p, { weightDecay: 0, ...o }), [1, 1e-6], [0.2, 1e-6]),
  setting('lion', (p, o) => lion(p, o), [0.5, 1e-5], [0.005, 1e-5]),
  lionKOf({ kind: 'l1' }, [0.5, 1e-5], [0.005, 1e-5]),
  lionKOf({ kind: 'deadZone', e: 0.01 }, [0.5, 1e-3], [0.005, 1e-4]),
  lionKOf({ kind: 'smooth', e: 1 }, [2, 1e-6], [0.02, 1e-6]),
  lionKOf({ kind: 'largest', k: 1 }, [0.5, 1e-4], [0.005, 1e-6]),
  lionKOf({ kind: 'squared' }, [2, 1e-6], [0.02, 1e-6]),
  lionKOf({ kind: 'lp', p: 1.5 }, [0.5, 1e-5], [0.005, 1e-6]),
  lionKOf({ kind: 'huber', e: 1 }, [2, 1e-6], [0.02, 1e-6]),
  lionKOf({ kind: 'nuclear' }, [0.2, 1e-4], [0.005, 1e-6]),
  setting('enim', (p, o) => enim(p, o), [0.2, 1e-4], [0.002, 1e-5]),
  setting('enim global', (p, o) => enim(p, { scope: 'global', ...o }), [0.2, 1e-4], [0.002, 1e-6]),
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
  setting(
    'normDescent l2 dual',
    (p, o) => normDescent(p, { scale: 'dual', ...o }),
    [0.2, 1e-9],
    [0.005, 0.02],
  ),
  setting(
    'normDescent frobenius',
    (p, o) => normDescent(p, { norm: 'frobenius', momentum: 0.9, ...o }),
    [0.2, 1e-4],
    [0.002, 1e-6],
  ),
  setting(
    'muon polar-express',
    (p, o) => muon(p, { method: 'polar-express', ...o }),
    [0.1, 1e-5],
    [0.005, 1e-6],
  ),
  setting('muon exact', (p, o) => muon(p, { method: 'exact', ...o }), [0.1, 1e-5], [0.005, 1e-6]),
  setting('muon', (p, o) => muon(p, o), [0.5, 1e-5], [0.005, 1e-6]),
  {
    ...setting(
      'muonWithAdamW',
      (p, { lr, ...o }) => muonWithAdamW(p, { muon: { lr }, adamw: { lr, weightDecay: 0 }, ...o }),
      [0.5, 1e-5],
      [0.02, 1e-3],
    ),
    shapes: { hidden: [1, 1], head: [1, 1] },
  },
  setting(
    'shampoo newton',
    (p, o) => shampoo(p, { rootMethod: 'newton', ...o }),
    [2, 1e-9],
    [1, 0.02],
  ),
  setting(
    'shampoo grafted',
    (p, o) => shampoo(p, { graft: 'adam', ...o }),
    [0.2, 1e-9],
    [0.2, 1e-3],
  ),
  setting('soap', (p, o) => soap(p, o), [1, 1e-3], [0.1, 1e-6]),
  setting(
    'clip',
    (p, { lr, ...o }) => clip(p, sgd({ lr, momentum: 0.9 }), { norm: 1, ...o }),
    [0.2, 1e-6],
    [0.002, 1e-6],
  ),
  setting(
    'groups',
    (p, { lr, ...o }) => groups(p, [{ optimizer: adam({ lr }) }], o),
    [1, 1e-6],
    [0.2, 1e-6],
  ),
  setting(
    'asam',
    (p, { lr, ...o }) => sam(p, sgd({ lr }), { adaptive: true, rho: 0.01, ...o }),
    [0.2, 1e-9],
    [0.002, 0.05],
  ),
  setting(
    'sam p = ∞',
    (p, { lr, ...o }) => sam(p, sgd({ lr }), { p: Infinity, rho: 0.01, ...o }),
    [0.2, 1e-9],
    [0.002, 0.1],
  ),
  setting(
    'looksam',
    (p, { lr, ...o }) => sam(p, sgd({ lr }), { rho: 0.01, every: 5, between: 'look', ...o }),
    [0.1, 1e-4],
    [0.002, 0.3],
  ),
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
  { bind, shapes = { w: [2, 1] } }: Setting,
  { lr, steps, device }: { lr: number; steps: number; device: 'js' | 'cpu' },
): Promise<number> {
  const data = Float32Array.from(start);
  const apart = (numbers: Float32Array) => {
    const length = 2 / Object.keys(shapes).length;
    return Object.keys(shapes).map((name, i) => {
      const part = numbers.subarray(length * i, length * (i + 1));
      return [name, part] as const;
    });
  };
  const params = apart(data).map(([name, part]) => [name, { data: part, shape: shapes[name] }]);
  const optimizer = bind(Object.fromEntries(params), { lr: cosine(lr, { steps }), device });
  const grads = () => Object.fromEntries(apart(Float32Array.from(gradient(data[0], data[1]))));
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

/** The landscape as ½‖r‖², r what this layer makes of a row of 1; its weight [2, 1] is the way from the start. */
const residuals =
  ({ start }: Landscape, curved: boolean): Layer =>
  (x, scope) => {
    const row = (...shift: number[]) =>
      ops.normalise(ops.fill(x.graph, [1, 2], 0), { scale: [1, 1], shift });
    const point = ops.add(ops.linear(x, scope.param('weight', [2, 1], zeros)), row(...start));
    if (!curved) return ops.mul(point, row(1, Math.sqrt(10)));
    // √2 (x − 1) and √200 (y − x²)
    const square = ops.sum(ops.mul(ops.square(point), row(1, 0)), [1], { keepDims: true });
    const from = ops.add(row(1, 0), ops.mul(square, row(0, 1)));
    return ops.mul(ops.sub(point, from), row(Math.SQRT2, Math.sqrt(200)));
  };

describe.each(present)('convergence of K-FAC on %s', (device) => {
  const reached = (landscape: Landscape, optimizer: Optimizer, steps: number) => {
    const model = residuals(landscape, landscape === rosenbrock);
    const options = { loss: squaredError(), batch: 1, input: [1], optimizer, device };
    const step = trainStep(model, options);
    for (let t = 0; t < steps; t++) step(Float32Array.of(1), new Float32Array(2));
    const [x, y] = step.model.parameters().weight.data;
    return landscape.value(landscape.start[0] + x, landscape.start[1] + y);
  };
  const every = { fisher: 'exact', statisticsEvery: 1, inversesEvery: 1 } as const;
  const FORMS: readonly KfacOptions[] = [
    { lr: 0.5, damping: 1e-6, klClip: 100, form: 'inverse', ...every },
    { lr: 0.5, damping: 1e-6, klClip: 100, form: 'eigen', ...every },
    { lr: 'model', damping: 1e-3, adaptDamping: true, ...every },
  ];

  it.each(FORMS)('on a parabola within 50 steps: %o', (options) => {
    expect(reached(parabola, kfac(options), 50)).toBeLessThan(1e-9);
  });

  it.each(FORMS)('on Rosenbrock’s function within 400 steps: %o', (options) => {
    expect(reached(rosenbrock, kfac(options), 400)).toBeLessThan(1e-9);
  });
});
