/** A method on a device through each door: its worst error against the oracle, or the code with which it refuses. */
import { type DeviceName, FlatminError, fit, type Params, trainStep } from '../../src/index.ts';
import { BoundKfac } from '../../src/optim/kfac.ts';
import { BoundOptimizer } from '../../src/step/bound.ts';
import type { LayerRows } from '../optim/oracles/network.ts';
import type { Tensors64 } from '../optim/oracles/oracle.ts';
import { model } from '../optim/small-network.ts';
import { bytesOf, doubleParams } from '../optim/tensors.ts';
import { type Method, rate, STEPS } from './case.ts';
import {
  convolutional,
  images,
  LEARN,
  observed,
  type Problem,
  shuffled,
  slopes,
} from './problems.ts';

export type Outcome = number | string;

type Door = (method: Method, device: DeviceName) => Promise<Outcome>;

const references = new Map<string, Tensors64>();

/** Parameters after STEPS steps in doubles, the same for every device. */
function reference(method: Method, problem: Problem, label: string): Tensors64 {
  const key = `${method.name}/${label}`;
  const known = references.get(key);
  if (known !== undefined) return known;
  const params = doubleParams(problem.start());
  const step = method.reference();
  for (let t = 1; t <= STEPS; t++) step(params, problem, rate()({ step: t, epoch: 0 }), t);
  references.set(key, params);
  return params;
}

/** The largest error, of |θ| or of 0.1 where θ is smaller. */
export function worst(
  got: Readonly<Record<string, { data: Float32Array }>>,
  want: Tensors64,
): number {
  const errors = Object.entries(want).flatMap(([name, { data }]) =>
    Array.from(data, (x, i) => Math.abs(got[name].data[i] - x) / Math.max(0.1, Math.abs(x))),
  );
  return Math.max(...errors);
}

const singles = (tensors: Readonly<Record<string, Float64Array>>) =>
  Object.fromEntries(Object.entries(tensors).map(([name, x]) => [name, Float32Array.from(x)]));

function observe(optimizer: BoundKfac, examples: readonly LayerRows[][], params: Tensors64): void {
  examples[0].forEach(({ name }, layer) => {
    const rows = examples.map((example) => example[layer]);
    const width = params[`${name}.weight`].shape[1];
    optimizer.observe(name, {
      inputs: Float32Array.from(rows.flatMap(({ inputs }) => inputs[0].slice(0, width))),
      outputGrads: Float32Array.from(
        rows.flatMap(({ grads }) => grads[0]),
        (g) => g / rows.length,
      ),
    });
  });
}

async function stepped(
  { make, asks, shows }: Method,
  problem: Problem,
  how: 'step' | 'stepAsync',
  device: DeviceName,
): Promise<Params> {
  const params = problem.start();
  const optimizer = make();
  const bound = new (optimizer.Bound ?? BoundOptimizer)(optimizer, params, { device });
  for (let t = 1; t <= STEPS; t++) {
    const now = doubleParams(params);
    if (bound instanceof BoundKfac && shows) observe(bound, shows(problem, now, t), now);
    if (asks === 'closure') {
      const closure = () => ({ loss: 0, grads: singles(problem.gradient(doubleParams(params))) });
      await bound[how](closure);
    } else await bound[how](singles(problem.gradient(now)));
  }
  return params;
}

/** `step`, and `stepAsync` with the same bits. */
const ownArrays: Door = async (method, device) => {
  const problem = method.shows === undefined ? slopes : observed;
  const params = await stepped(method, problem, 'step', device);
  const other = await stepped(method, problem, 'stepAsync', device);
  if (bytesOf(params) !== bytesOf(other)) return 'step and stepAsync differ';
  return worst(params, reference(method, problem, 'arrays'));
};

const compiledStep: Door = async (method, device) => {
  const input = images.inputs.shape;
  const step = trainStep(model(), { ...LEARN, input, optimizer: method.make(), device });
  const inputs = images.inputs.data as Float32Array;
  for (let t = 1; t <= STEPS; t++) step(inputs, images.targets.data);
  return worst(step.model.parameters(), reference(method, convolutional, 'network'));
};

/** A step is an epoch: the batch is the whole set. */
const trainer: Door = async (method, device) => {
  const options = { ...LEARN, optimizer: method.make(), epochs: STEPS, device };
  const fitted = await fit(model(), { train: images }, options);
  return worst(fitted.model.parameters(), reference(method, shuffled, 'epochs'));
};

const orRefusal =
  (door: Door): Door =>
  async (method, device) => {
    try {
      return await door(method, device);
    } catch (error) {
      if (error instanceof FlatminError) return error.code;
      throw error;
    }
  };

export const DOORS = {
  arrays: orRefusal(ownArrays),
  trainStep: orRefusal(compiledStep),
  fit: orRefusal(trainer),
};
