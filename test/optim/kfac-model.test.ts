/** K-FAC's rate and momentum from its quadratic model: against dense Fishers, and what the model promises. */
import { describe, expect, it } from 'vitest';
import {
  type AnyDataset,
  batchNorm,
  conv2d,
  type FlatminError,
  flatten,
  groups,
  type KfacOptions,
  kfac,
  type Layer,
  linear,
  sequential,
  sgd,
  squaredError,
  trainStep,
} from '../../src/index.ts';
import { STREAM, uniforms } from '../../src/random/philox.ts';
import { stateKey } from '../../src/step/trace.ts';
import { TrainedModel } from '../../src/train/model.ts';
import { Training } from '../../src/train/training.ts';
import { devices } from './devices.ts';
import { kfacOracle } from './oracles/kfac.ts';
import { inverse, multiply, type Rows, transpose } from './oracles/matrix.ts';
import { alongOf, type Forward, forward, matrixOf } from './oracles/network.ts';
import type { Tensors64 } from './oracles/oracle.ts';
import {
  batchOf,
  drawLabel,
  IMAGE,
  images,
  model,
  NET,
  ROWS,
  SEED,
  wholeSet,
} from './small-network.ts';
import { bytesOf, doubleParams } from './tensors.ts';

const STEPS = 50;
/** Of the roundings by which a method's sensitivity is measured. */
const DRAWS = 8;

/** The distance between float32 numbers of x's size. */
const ulp = (x: number): number => 2 ** (Math.floor(Math.log2(Math.abs(x) || 1)) - 23);

type Variant = Omit<KfacOptions, 'lr'>;

/** aᵀFb of softmax and cross-entropy, from the Jacobian of every example, a backward pass for each output. */
function denseFisher(passes: readonly Forward[]) {
  const derivatives = passes.map(alongOf);
  const along = (direction: readonly Rows[]) => derivatives.map((of) => of(direction));
  return (a: readonly Rows[], b: readonly Rows[]): number => {
    const [ja, jb] = [along(a), along(b)];
    const mean = (p: readonly number[], x: readonly number[]) =>
      p.reduce((sum, v, c) => sum + v * x[c], 0);
    return (
      passes.reduce((sum, { probabilities: p }, n) => {
        const both = ja[n].map((x, c) => x * jb[n][c]);
        return sum + mean(p, both) - mean(p, ja[n]) * mean(p, jb[n]);
      }, 0) / passes.length
    );
  };
}

/** With decay: without it the examples are fitted exactly, and a start moved by 1e-7 ends 1e-2 away in doubles too. */
const VARIANTS: readonly Variant[] = [
  { damping: 0.3, weightDecay: 0.1, fisher: 'empirical', form: 'eigen' },
  { damping: 0.1, weightDecay: 0.02, fisher: 'empirical', statisticsEvery: 3, inversesEvery: 4 },
  { damping: 0.3, weightDecay: 0.1, fisher: 'empirical', blockSize: 2 },
  { damping: 0.3, weightDecay: 0.1, adaptDamping: true },
  { damping: 0.3, weightDecay: 0.05, form: 'eigen', adaptDamping: true, statisticsEvery: 5 },
];

describe.each(devices)("kfac with lr 'model' on $title", ({ device, missing }) => {
  const start = (options: KfacOptions) =>
    new Training(model(), { train: images() }, wholeSet(device, options));

  /** Its equations in doubles from a start; a `draw` of roundings keeps parameters in float32 between steps. */
  function follow(start: Tensors64, variant: Variant, draw?: number) {
    const data = images();
    const params = Object.fromEntries(
      Object.entries(start).map(([name, { data, shape }]) => [name, { data: data.slice(), shape }]),
    );
    const { step, changes, setDamping } = kfacOracle(variant);
    const { weightDecay = 0 } = variant;
    let damping = variant.damping as number;
    const begun: number[] = [];
    const ratios: number[] = [];
    for (let t = 1; t <= STEPS; t++) {
      const batch = batchOf(data, t - 1);
      const run = () => batch.map(({ image }) => forward(NET, params, image));
      const objective = (passes: readonly Forward[]) => {
        const squares = Object.values(params).flatMap(({ data }) => [...data]);
        const decay = 0.5 * weightDecay * squares.reduce((sum, x) => sum + x * x, 0);
        const logs = passes.map((p, i) => Math.log(p.probabilities[batch[i].label]));
        return decay - logs.reduce((sum, x) => sum + x) / ROWS;
      };
      const passes = run();
      const fromData = passes.map((pass, i) => pass.backward(batch[i].label));
      const drawn = () => passes.map((pass, row) => pass.backward(drawLabel(pass, t, row)));
      const fisher = variant.fisher === 'empirical' ? fromData : drawn();
      const before = objective(passes);
      begun.push(before);
      step(params, { data: fromData, fisher, curvature: denseFisher(passes) }, 0, t);
      if (draw !== undefined) {
        for (const { data } of Object.values(params)) {
          const u = uniforms({ seed: draw, stream: STREAM.init, step: t }, data.length);
          // Up or down with the chances that leave the mean.
          data.set(data.map((x, i) => Math.fround(x + (u[i] - 0.5) * ulp(x))));
        }
      }
      if (variant.adaptDamping !== true || t % 5 !== 0) continue;
      const ratio = (objective(run()) - before) / changes[t - 1];
      ratios.push(ratio);
      if (ratio > 3 / 4) damping *= 0.95 ** 5;
      else if (!(ratio >= 1 / 4)) damping /= 0.95 ** 5;
      setDamping(damping);
    }
    return { params, changes, begun, ratios, damping };
  }

  const furthest = (
    a: Readonly<Record<string, { data: ArrayLike<number> }>>,
    b: Tensors64,
  ): number =>
    Math.max(
      ...Object.entries(b).flatMap(([name, { data }]) =>
        Array.from(data, (x, i) => Math.abs(a[name].data[i] - x)),
      ),
    );

  it.skipIf(missing !== null).each(VARIANTS)(
    `follows its equations for ${STEPS} steps: %o`,
    { timeout: 60_000 },
    async (variant) => {
      const training = start({ lr: 'model', ...variant });
      const trained = new TrainedModel(training);
      const from = doubleParams(trained.parameters());
      const exact = follow(from, variant);
      // What one rounding a step of the parameters does, which is chance: the root mean square of some draws. Float32
      // rounds some hundred times.
      const far = Array.from({ length: DRAWS }, (_, draw) =>
        furthest(follow(from, variant, draw).params, exact.params),
      );
      const rounding = Math.hypot(...far) / Math.sqrt(DRAWS);
      for (let t = 1; t <= STEPS; t++) await training.epoch();
      expect(rounding).toBeLessThan(1e-6);
      expect(furthest(trained.parameters(), exact.params)).toBeLessThan(1e-6 + 10 * rounding);
      expect(exact.begun[STEPS - 1]).toBeLessThan(exact.begun[0] / 2);
      // M promises a fall in every step, and float32 never decides about the damping.
      expect(Math.max(...exact.changes)).toBeLessThan(0);
      for (const ratio of exact.ratios) {
        expect(Math.min(Math.abs(ratio - 3 / 4), Math.abs(ratio - 1 / 4))).toBeGreaterThan(1e-3);
      }
      if (variant.adaptDamping !== true) return;
      const [got] = training.store.read(stateKey('damping'));
      expect(Math.abs(got / exact.damping - 1)).toBeLessThan(1e-6);
      expect(exact.damping).not.toBe(variant.damping);
    },
  );

  describe.skipIf(missing !== null)('on a linear model with squared error', () => {
    const [COUNT, FEATURES, OUT] = [12, 3, 3];
    const drawn = (n: number, seed: number) =>
      uniforms({ seed, stream: STREAM.init, step: 0 }, n).map((u) => 2 * u - 1);
    const train: AnyDataset = {
      name: 'line',
      synthetic: true,
      inputs: { data: drawn(COUNT * FEATURES, 2), shape: [FEATURES] },
      targets: { data: drawn(COUNT * OUT, 3), shape: [OUT] },
      count: COUNT,
    };
    const inputs = Array.from({ length: COUNT }, (_, n) => [
      ...train.inputs.data.subarray(n * FEATURES, (n + 1) * FEATURES),
      1,
    ]);
    const targets = Array.from({ length: COUNT }, (_, n) => [
      ...(train.targets?.data ?? []).subarray(n * OUT, (n + 1) * OUT),
    ]);
    const gradient = (w: Rows): Rows => {
      const errors = multiply(inputs, transpose(w)).map((f, n) =>
        f.map((v, o) => v - targets[n][o]),
      );
      return multiply(transpose(errors), inputs).map((row) => row.map((v) => v / COUNT));
    };
    const dot = (a: Rows, b: Rows) => a.flat().reduce((sum, x, i) => sum + x * b.flat()[i], 0);
    const minus = (a: Rows, b: Rows) => a.map((row, i) => row.map((x, j) => x - b[i][j]));
    const norm = (a: Rows) => Math.hypot(...a.flat());

    /** The layer's matrix after each step, the start first. */
    async function path(options: Variant, steps: number): Promise<Rows[]> {
      const optimizer = kfac({ lr: 'model', damping: 1e-12, ...options });
      const loss = squaredError();
      const training = new Training(
        sequential({ fc: linear(OUT) }),
        { train },
        { optimizer, loss, batch: COUNT, seed: 4, device },
      );
      const now = () => matrixOf(doubleParams(new TrainedModel(training).parameters()), 'fc');
      const all = [now()];
      for (let t = 0; t < steps; t++) {
        await training.epoch();
        all.push(now());
      }
      return all;
    }

    const solution = transpose(
      multiply(inverse(multiply(transpose(inputs), inputs)), multiply(transpose(inputs), targets)),
    );

    it('is there in one step by the exact factors', async () => {
      const [start, end] = await path({ fisher: 'exact' }, 1);
      expect(norm(minus(end, solution)) / norm(minus(start, solution))).toBeLessThan(1e-5);
    });

    it('ends where the loss is least along its step, then in the plane with the last one', async () => {
      // The labels' G instead of the identity: three different eigenvalues are left.
      const [a, b, c] = await path({ fisher: 'empirical', inversesEvery: 100 }, 2);
      const [first, second] = [minus(b, a), minus(c, b)];
      const cosine = (x: Rows, y: Rows) => Math.abs(dot(x, y)) / (norm(x) * norm(y));
      expect(cosine(gradient(b), first)).toBeLessThan(1e-5);
      expect(cosine(gradient(c), second)).toBeLessThan(1e-5);
      expect(cosine(gradient(c), first)).toBeLessThan(1e-5);
      expect(cosine(gradient(b), second)).toBeGreaterThan(1e-2);
    });

    it('is conjugate gradients: there in as many steps as the preconditioned Fisher has eigenvalues', async () => {
      const all = await path({ fisher: 'empirical', inversesEvery: 100 }, OUT);
      const apart = all.map((w) => norm(minus(w, solution)) / norm(minus(all[0], solution)));
      expect(apart[OUT - 1]).toBeGreaterThan(1e-3);
      expect(apart[OUT]).toBeLessThan(1e-5);
    });
  });

  const learn = { batch: ROWS, input: IMAGE, seed: SEED, device };
  const inputs = images().inputs.data as Float32Array;
  const labels = Int32Array.from(images().labels);

  it.skipIf(missing !== null)('stands still in a skipped step', () => {
    const optimizer = () => kfac({ lr: 'model' as const, fisher: 'empirical' as const });
    const step = trainStep(model(), { ...learn, optimizer: optimizer(), onNonFinite: 'skip' });
    step(inputs, labels);
    const before = bytesOf(step.model.parameters());
    step(new Float32Array(inputs.length).fill(Number.NaN), labels);
    expect(bytesOf(step.model.parameters())).toBe(before);
    step(inputs, labels);
    for (const { data } of Object.values(step.model.parameters())) {
      expect(data.every(Number.isFinite)).toBe(true);
    }
    expect(bytesOf(step.model.parameters())).not.toBe(before);
  });

  it.skipIf(missing !== null)('leaves parameters outside its layers to groups', () => {
    const normed = (): Layer =>
      sequential({ conv: conv2d(2, 3), norm: batchNorm(), flat: flatten(), head: linear(3) });
    const alone = () => trainStep(normed(), { ...learn, optimizer: kfac({ lr: 'model' }) });
    expect(alone).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: lr 'model' has no rate for "norm.weight", "norm.bias", outside the layers that K-FAC covers. Help: groups([{ match, optimizer: sgd({ lr }) }, { optimizer: kfac({ lr: 'model' }) }]).]`,
    );
    const optimizer = groups([
      { match: /^norm/, optimizer: sgd({ lr: 0.1 }) },
      { optimizer: kfac({ lr: 'model', damping: 0.1, fisher: 'empirical' }) },
    ]);
    const step = trainStep(normed(), { ...learn, optimizer });
    const losses = Array.from({ length: 10 }, () => step(inputs, labels));
    expect(losses[9]).toBeLessThan(0.2 * losses[0]);
  });

  it.skipIf(missing !== null)('needs a model', () => {
    const params = { 'fc.weight': { data: new Float32Array(6), shape: [2, 3] } };
    expect(() => kfac(params, { lr: 'model', device })).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: lr 'model' needs a model, whose outputs it differentiates; on arrays there is none. Help: give a learning rate.]`,
    );
  });
});

it('takes the place of momentum and klClip', () => {
  const codeOf = (options: KfacOptions) => {
    try {
      kfac(options);
    } catch (error) {
      return (error as FlatminError).code;
    }
    return 'none';
  };
  expect(() => kfac({ lr: 'model', momentum: 0.9 })).toThrowErrorMatchingInlineSnapshot(
    `[FlatminError: kfac: lr 'model' takes the place of klClip and momentum: leave them out, or give a learning rate]`,
  );
  expect(codeOf({ lr: 'model', momentum: 0 })).toBe('FLATMIN_ARGUMENT');
  expect(codeOf({ lr: 'model', klClip: 1e-3 })).toBe('FLATMIN_ARGUMENT');
  expect(codeOf({ lr: 'models' as 'model' })).toBe('FLATMIN_ARGUMENT');
  expect(kfac({ lr: 'model' }).options).not.toHaveProperty('momentum');
  expect(kfac({ lr: 'model' }).options).toMatchObject({ damping: 1 });
  expect(kfac({ lr: 0.1 }).options).toMatchObject({ damping: 1e-3, momentum: 0, klClip: 1e-3 });
});
