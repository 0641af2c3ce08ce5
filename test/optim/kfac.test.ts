import { describe, expect, it } from 'vitest';
import {
  cosine,
  type Dataset,
  FlatminError,
  fit,
  groups,
  type KfacOptions,
  kfac,
  type Layer,
  linear,
  ops,
  sgd,
} from '../../src/index.ts';
import { uniforms } from '../../src/random/philox.ts';
import { TrainedModel } from '../../src/train/model.ts';
import { stateKey } from '../../src/train/optimizer-step.ts';
import { Training } from '../../src/train/training.ts';
import { devices } from './devices.ts';
import { factors, kfacOracle } from './oracles/kfac.ts';
import type { Rows } from './oracles/matrix.ts';
import { type Forward, forward, matrixOf } from './oracles/network.ts';
import {
  batchOf,
  CLASSES,
  drawLabel,
  IMAGE,
  images,
  LAYERS,
  model,
  NET,
  ROWS,
  SEED,
} from './small-network.ts';
import { bytesOf, doubleParams } from './tensors.ts';

type Variant = Omit<KfacOptions, 'lr'>;

/** A step is an epoch: the batch is the whole set. */
const options = (device: 'js' | 'cpu', given: KfacOptions) => ({
  optimizer: kfac(given),
  batch: 1e6,
  seed: SEED,
  device,
});

async function initialParams(device: 'js' | 'cpu') {
  const { model: fitted } = await fit(
    model(),
    { train: images() },
    { ...options(device, { lr: 1 }), epochs: 0 },
  );
  return doubleParams(fitted.parameters());
}

function rowsOf(data: ArrayLike<number>, n: number): Rows {
  return Array.from({ length: n }, (_, r) => Array.from({ length: n }, (_, c) => data[r * n + c]));
}

function expectClose(got: Rows, want: Rows, tolerance: number): void {
  const largest = Math.max(...want.flat().map(Math.abs));
  got.forEach((row, i) => {
    row.forEach((x, j) => {
      expect(Math.abs(x - want[i][j]), `[${i}, ${j}]`).toBeLessThanOrEqual(tolerance * largest);
    });
  });
}

const VARIANTS: Variant[] = [
  { damping: 0.01, klClip: 1e-3, statisticsEvery: 1, inversesEvery: 1 },
  { damping: 0.01, klClip: 1e6, statisticsEvery: 2, inversesEvery: 3, weightDecay: 0.05 },
  { damping: 0.03, klClip: 1e-3, momentum: 0.8, weightDecay: 0.05, fisher: 'empirical' },
  { damping: 0.03, statisticsEvery: 3, inversesEvery: 2, fisher: 'empirical' },
  { form: 'eigen', damping: 0.03, klClip: 1e-3, statisticsEvery: 2, inversesEvery: 3 },
  { form: 'eigen', damping: 0.1, momentum: 0.8, weightDecay: 0.05, fisher: 'empirical' },
];
const STEPS = 50;

describe.each(devices)('kfac on $title', ({ device, missing }) => {
  describe.skipIf(missing !== null)('in a network', () => {
    it.each(VARIANTS)(`follows its equations for ${STEPS} steps: %o`, async (variant) => {
      const data = images();
      const lr = () => cosine(0.05, { epochs: 2 * STEPS });
      const reference = await initialParams(device);
      const { step, tolerance, clips } = kfacOracle(variant);
      const losses: number[] = [];
      for (let t = 1; t <= STEPS; t++) {
        const batch = batchOf(data, t - 1);
        const passes = batch.map(({ image }) => forward(NET, reference, image));
        losses.push(
          passes.reduce((sum, p, i) => sum - Math.log(p.probabilities[batch[i].label]), 0) / ROWS,
        );
        const fromData = passes.map((pass, i) => pass.backward(batch[i].label));
        const fisher =
          variant.fisher === 'empirical'
            ? fromData
            : passes.map((pass, row) => pass.backward(drawLabel(pass, t, row)));
        step(reference, { data: fromData, fisher }, lr()({ step: t, epoch: t - 1 }), t);
      }
      const { model: fitted, history } = await fit(
        model(),
        { train: data },
        { ...options(device, { lr: lr(), ...variant }), epochs: STEPS },
      );
      // A bound wide enough for another π, decay or clip would prove nothing.
      expect(tolerance()).toBeLessThan(1e-3);
      for (const [name, { data: got }] of Object.entries(fitted.parameters())) {
        got.forEach((x, i) => {
          const want = reference[name].data[i];
          expect(Math.abs(x - want), `${name}[${i}]: ${x}, not ${want}`).toBeLessThanOrEqual(
            tolerance() + 1e-6,
          );
        });
      }
      history.forEach(({ trainLoss }, i) => {
        expect(Math.abs(trainLoss - losses[i])).toBeLessThanOrEqual(10 * tolerance() + 1e-6);
      });
      expect(losses[STEPS - 1]).toBeLessThan(losses[0]);
      // The clip is at work where it is meant to be.
      expect(Math.min(...clips) < 1).toBe((variant.klClip ?? 0) < 1);
    });

    it.each([
      ['falls while the model is right', { lr: 0.02, damping: 0.05, weightDecay: 0.02 }, 'down'],
      ['rises where steps are too long', { lr: 4, damping: 1e-3, klClip: 1e6 }, 'up'],
    ] as const)('adapts its damping: %s', async (_, given, way) => {
      const steps = way === 'up' ? 5 : 20;
      const variant = {
        statisticsEvery: 5,
        inversesEvery: 5,
        fisher: 'empirical',
        ...given,
      } as const;
      const { weightDecay = 0 } = variant as Variant;
      const data = images();
      const reference = await initialParams(device);
      const { step, setDamping, tolerance } = kfacOracle(variant);
      const omega = 0.95 ** 5;
      let damping: number = variant.damping;
      const ratios: number[] = [];
      for (let t = 1; t <= steps; t++) {
        const batch = batchOf(data, t - 1);
        const run = () => batch.map(({ image }) => forward(NET, reference, image));
        const lossOf = (passes: readonly Forward[]) =>
          passes.reduce((sum, p, i) => sum - Math.log(p.probabilities[batch[i].label]), 0) / ROWS;
        const passes = run();
        const rows = passes.map((pass, i) => pass.backward(batch[i].label));
        const before = LAYERS.map((layer) => matrixOf(reference, layer));
        step(reference, { data: rows, fisher: rows }, variant.lr, t);
        if (t % 5 !== 0) continue;
        const after = run();
        let [slope, decay, squares] = [0, 0, 0];
        LAYERS.forEach((layer, l) => {
          matrixOf(reference, layer).forEach((row, o) => {
            row.forEach((v, i) => {
              const delta = v - before[l][o][i];
              const examples = rows.map((example) => example[l]);
              const gradient = examples.reduce(
                (sum, e) => sum + e.inputs.reduce((s, x, k) => s + e.grads[k][o] * x[i], 0),
                0,
              );
              slope += (delta * gradient) / ROWS;
              decay += weightDecay * delta * before[l][o][i];
              squares += delta ** 2;
            });
          });
        });
        let curvature = 0;
        passes.forEach((pass, n) => {
          const d = pass.logits.map((v, c) => after[n].logits[c] - v);
          const mean = d.reduce((sum, v, c) => sum + pass.probabilities[c] * v, 0);
          curvature += d.reduce((s, v, c) => s + pass.probabilities[c] * (v - mean) ** 2, 0) / ROWS;
        });
        const gained = lossOf(after) - lossOf(passes) + decay + 0.5 * weightDecay * squares;
        const model = slope + decay + 0.5 * (curvature + (damping + weightDecay) * squares);
        const ratio = gained / model;
        ratios.push(ratio);
        if (ratio > 3 / 4) damping *= omega;
        else if (!(ratio >= 1 / 4)) damping /= omega;
        setDamping(damping);
      }
      // Float32 must not be what decides.
      for (const ratio of ratios) {
        expect(Math.min(Math.abs(ratio - 3 / 4), Math.abs(ratio - 1 / 4))).toBeGreaterThan(0.02);
      }
      expect(Math.sign(damping - variant.damping)).toBe(way === 'up' ? 1 : -1);
      const training = new Training(
        model(),
        { train: data },
        options(device, { ...variant, adaptDamping: true }),
      );
      for (let t = 1; t <= steps; t++) await training.epoch();
      const [got] = training.store.read(stateKey('damping'));
      expect(Math.abs(got / damping - 1)).toBeLessThan(1e-6);
      if (way === 'up') return;
      expect(tolerance()).toBeLessThan(1e-3);
      for (const [name, { data: x }] of Object.entries(new TrainedModel(training).parameters())) {
        x.forEach((v, i) => {
          const error = Math.abs(v - reference[name].data[i]);
          expect(error, `${name}[${i}]`).toBeLessThanOrEqual(tolerance() + 1e-6);
        });
      }
    });

    it('raises its damping where the loss after the step is not a number', async () => {
      const optimizer = { lr: 1e30, adaptDamping: true, klClip: 1e38, inversesEvery: 1000 };
      const training = new Training(
        model(),
        { train: images() },
        { ...options(device, optimizer), onNonFinite: 'allow' },
      );
      for (let t = 1; t <= 5; t++) await training.epoch();
      const [got] = training.store.read(stateKey('damping'));
      expect(got).toBeCloseTo(1e-3 / 0.95 ** 5, 8);
    });

    async function factorsAfterOneStep(data: Dataset, given: Variant = {}) {
      const training = new Training(
        model(),
        { train: data },
        options(device, { lr: 0.01, ...given }),
      );
      await training.epoch();
      const read = (kind: 'a' | 'g', layer: string) => {
        const key = stateKey(`${kind}/${layer}.weight`);
        return rowsOf(training.store.read(key), training.store.type(key).shape[0]);
      };
      return LAYERS.map((layer) => ({ a: read('a', layer), g: read('g', layer) }));
    }

    it('has the averaged outer products of single examples as factors', async () => {
      const data = images();
      const params = await initialParams(device);
      const passes = batchOf(data, 0).map(({ image, label }) =>
        forward(NET, params, image).backward(label),
      );
      const got = await factorsAfterOneStep(data, { fisher: 'empirical' });
      LAYERS.forEach((_, i) => {
        const want = factors(passes.map((rows) => rows[i]));
        expectClose(got[i].a, want.a, 1e-5);
        expectClose(got[i].g, want.g, 1e-5);
      });
      // The last input of a layer with a bias is 1, so its diagonal counts positions.
      expect(got[0].a.at(-1)?.at(-1)).toBeCloseTo(9, 5);
      expect(got[2].a.at(-1)?.at(-1)).toBeCloseTo(1, 5);
    });

    it('has the same factors when every example comes twice', async () => {
      const once = await factorsAfterOneStep(images(), { fisher: 'empirical' });
      const twice = await factorsAfterOneStep(images(2), { fisher: 'empirical' });
      LAYERS.forEach((_, i) => {
        expectClose(twice[i].a, once[i].a, 1e-5);
        expectClose(twice[i].g, once[i].g, 1e-5);
      });
    });

    it('steps finitely where all gradients are 0', async () => {
      const zero: Layer = (x, scope) => {
        const y = scope.call('fc', linear(CLASSES), ops.flatten(x));
        return ops.sub(y, y);
      };
      const before = await fit(
        zero,
        { train: images() },
        { ...options(device, { lr: 1 }), epochs: 0 },
      );
      const after = await fit(
        zero,
        { train: images() },
        { ...options(device, { lr: 1 }), epochs: 3 },
      );
      // G = 0: π is 1, and V, U and the clip's sum are 0.
      expect(bytesOf(after.model.parameters())).toBe(bytesOf(before.model.parameters()));
    });

    it('keeps its last inverse when one fails, three times in a row', async () => {
      // An input that is constant beside the bias, and no damping to speak of: A is singular.
      const data: Dataset = {
        name: 'constant',
        synthetic: true,
        inputs: { data: Float32Array.of(1, 1, 1, 1), shape: [1] },
        labels: Int32Array.of(0, 1, 0, 1),
        classes: 2,
        count: 4,
      };
      const run = (epochs: number, given: Variant) =>
        fit(
          linear(2),
          { train: data },
          {
            ...options(device, { lr: 1e-3, damping: 1e-40, inversesEvery: 2, ...given }),
            epochs,
          },
        );
      // Inverses at steps 1, 3 and 5. Until one is good there is no preconditioning.
      const { model: fitted } = await run(4, {});
      for (const { data: x } of Object.values(fitted.parameters())) {
        expect(x.every(Number.isFinite)).toBe(true);
      }
      const error = await run(5, {}).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(FlatminError);
      expect((error as FlatminError).code).toBe('FLATMIN_NUMERICS');
      expect((error as FlatminError).message).toMatchInlineSnapshot(
        `"A matrix root or inverse of "weight" failed three times in a row, last at step 5. Parameters are as before that step. Help: raise the method's epsilon, ridge or damping."`,
      );
    });

    it('names the tensor of a factor that overflows', async () => {
      const data: Dataset = {
        ...images(),
        inputs: { data: new Float32Array(ROWS * 40).fill(1e25), shape: IMAGE },
      };
      const tiny: Layer = (x, scope) => scope.call('fc', linear(CLASSES), ops.flatten(x));
      const error = await fit(
        tiny,
        { train: data },
        { ...options(device, { lr: 1 }), epochs: 1 },
      ).catch((e: unknown) => e);
      expect(error).toMatchObject({
        code: 'FLATMIN_NUMERICS',
        message: expect.stringContaining(
          'A matrix statistic of "fc.weight" is not finite at step 1.',
        ),
      });
    });
  });

  describe.skipIf(missing !== null)('on arrays', () => {
    const [out, features, rows] = [2, 3, 5];
    const setUp = (given: Partial<KfacOptions> = {}) => {
      const draw = (n: number, step: number) =>
        uniforms({ seed: 5, stream: 0, step }, n).map((u) => 2 * u - 1);
      const params = {
        'fc.weight': { data: draw(out * features, 0), shape: [out, features] },
        'fc.bias': { data: draw(out, 1), shape: [out] },
        gain: { data: draw(2, 2), shape: [2] },
      };
      const optimizer = kfac(params, { lr: 0.1, damping: 0.05, ...given, device });
      const inputs = (t: number) => draw(rows * features, 10 * t);
      // Of the batch mean: 1/rows of those of single examples.
      const outputGrads = (t: number) => draw(rows * out, 10 * t + 1).map((g) => g / rows);
      const grads = (t: number) => {
        const [x, dy] = [inputs(t), outputGrads(t)];
        const weight = new Float32Array(out * features);
        const bias = new Float32Array(out);
        for (let r = 0; r < rows; r++) {
          for (let o = 0; o < out; o++) {
            bias[o] += dy[r * out + o];
            for (let i = 0; i < features; i++) {
              weight[o * features + i] += dy[r * out + o] * x[r * features + i];
            }
          }
        }
        return { 'fc.weight': weight, 'fc.bias': bias, gain: Float32Array.of(1, -1) };
      };
      return { params, optimizer, inputs, outputGrads, grads };
    };

    it.each(['inverse', 'eigen'] as const)(
      'follows its equations on what it was shown: %s',
      (form) => {
        const every = { statisticsEvery: 2, inversesEvery: 2 };
        const variant = { form, ...every, weightDecay: 0.1, momentum: 0.5 };
        const { params, optimizer, inputs, outputGrads, grads } = setUp(variant);
        const reference = doubleParams(params);
        const { step, tolerance } = kfacOracle({ damping: 0.05, ...variant });
        let velocity = [0, 0];
        for (let t = 1; t <= 10; t++) {
          if (t % 2 === 1)
            optimizer.observe('fc', { inputs: inputs(t), outputGrads: outputGrads(t) });
          const examples = Array.from({ length: rows }, (_, r) => [
            {
              name: 'fc',
              inputs: [[...inputs(t).subarray(r * features, (r + 1) * features), 1]],
              grads: [[...outputGrads(t).subarray(r * out, (r + 1) * out)].map((g) => g * rows)],
            },
          ]);
          // The rest steps by SGD with momentum and coupled decay.
          const gain = reference.gain.data;
          velocity = velocity.map((v, i) => 0.5 * v + [1, -1][i] + 0.1 * gain[i]);
          velocity.forEach((v, i) => {
            gain[i] -= 0.1 * v;
          });
          step(reference, { data: examples, fisher: examples }, 0.1, t);
          optimizer.step(grads(t));
        }
        expect(tolerance()).toBeLessThan(1e-3);
        for (const [name, { data }] of Object.entries(params)) {
          data.forEach((x, i) => {
            const error = Math.abs(x - reference[name].data[i]);
            expect(error, `${name}[${i}]`).toBeLessThanOrEqual(tolerance() + 1e-6);
          });
        }
      },
    );

    it('is the same as one of several groups', () => {
      const options = { statisticsEvery: 2, inversesEvery: 2, momentum: 0.5 };
      const { params, optimizer, inputs, outputGrads, grads } = setUp(options);
      const { params: split } = setUp();
      const member = kfac({ lr: 0.1, damping: 0.05, ...options });
      const grouped = groups(
        split,
        [{ match: /^fc/, optimizer: member }, { optimizer: sgd({ lr: 0.1, momentum: 0.5 }) }],
        { device },
      );
      expect(() => grouped.step(grads(1))).toThrow(/call observe\(\)/);
      for (let t = 1; t <= 5; t++) {
        for (const each of [optimizer, grouped]) {
          if (t % 2 === 1) each.observe('fc', { inputs: inputs(t), outputGrads: outputGrads(t) });
          each.step(grads(t));
        }
      }
      expect(bytesOf(split)).toBe(bytesOf(params));
    });

    it('has no outputs for the exact Fisher', () => {
      expect(() => setUp({ fisher: 'exact' })).toThrow(
        expect.objectContaining({ code: 'FLATMIN_ARGUMENT' }),
      );
    });

    it('asks to be shown the layer', () => {
      const { params, optimizer, grads } = setUp();
      const before = bytesOf(params);
      expect(() => optimizer.step(grads(1))).toThrowErrorMatchingInlineSnapshot(
        `[FlatminError: Step 1 updates K-FAC's statistics: call observe() for at least one layer first]`,
      );
      expect(bytesOf(params)).toBe(before);
    });

    it('refuses what does not fit the layer', () => {
      const { optimizer, inputs, outputGrads } = setUp();
      const show = (layer: string, given: object) => () =>
        optimizer.observe(layer, { inputs: inputs(1), outputGrads: outputGrads(1), ...given });
      const argument = expect.objectContaining({ code: 'FLATMIN_ARGUMENT' });
      for (const [layer, given] of [
        ['gain', {}],
        ['fc.weight', {}],
        ['fc', { inputs: new Float32Array(4) }],
        ['fc', { outputGrads: new Float32Array(0) }],
        ['fc', { outputGrads: new Float32Array(3) }],
        ['fc', { outputGrads: undefined }],
        ['fc', { inputs: [1, 2, 3] }],
        ['fc', { outputGrads: new Float64Array(2 * rows) }],
      ] as const) {
        expect(show(layer, given)).toThrow(argument);
      }
      expect(() => optimizer.observe('fc', undefined as never)).toThrow(argument);
    });
  });
});
