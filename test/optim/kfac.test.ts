import { describe, expect, it } from 'vitest';
import {
  cosine,
  type Dataset,
  FlatminError,
  fit,
  type KfacOptions,
  type Layer,
  linear,
  ops,
} from '../../src/index.ts';
import { devices } from './devices.ts';
import { kfacOracle } from './oracles/kfac.ts';
import { forward } from './oracles/network.ts';
import {
  batchOf,
  CLASSES,
  drawLabel,
  IMAGE,
  images,
  initialParams,
  model,
  NET,
  ROWS,
  wholeSet,
} from './small-network.ts';
import { bytesOf } from './tensors.ts';

type Variant = Omit<KfacOptions, 'lr'>;

const VARIANTS: Variant[] = [
  { damping: 0.01, klClip: 1e-3, statisticsEvery: 1, inversesEvery: 1 },
  { damping: 0.01, klClip: 1e6, statisticsEvery: 2, inversesEvery: 3, weightDecay: 0.05 },
  { damping: 0.03, klClip: 1e-3, momentum: 0.8, weightDecay: 0.05, fisher: 'empirical' },
  { damping: 0.03, statisticsEvery: 3, inversesEvery: 2, fisher: 'empirical' },
  { form: 'eigen', damping: 0.03, klClip: 1e-3, statisticsEvery: 2, inversesEvery: 3 },
  { form: 'eigen', damping: 0.1, momentum: 0.8, weightDecay: 0.05, fisher: 'empirical' },
  { damping: 0.03, blockSize: 6, statisticsEvery: 2, inversesEvery: 3, momentum: 0.5 },
  { damping: 0.03, blockSize: 2, fisher: 'empirical', weightDecay: 0.05 },
  { form: 'eigen', damping: 0.1, blockSize: 2, fisher: 'empirical' },
];
const STEPS = 50;

describe.each(devices)('kfac on $title', ({ device, missing }) => {
  it.skipIf(missing !== null).each(VARIANTS)(
    `follows its equations for ${STEPS} steps: %o`,
    async (variant) => {
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
        { ...wholeSet(device, { lr: lr(), ...variant }), epochs: STEPS },
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
    },
  );

  it.skipIf(missing !== null)('steps finitely where all gradients are 0', async () => {
    const zero: Layer = (x, scope) => {
      const y = scope.call('fc', linear(CLASSES), ops.flatten(x));
      return ops.sub(y, y);
    };
    const before = await fit(
      zero,
      { train: images() },
      { ...wholeSet(device, { lr: 1 }), epochs: 0 },
    );
    const after = await fit(
      zero,
      { train: images() },
      { ...wholeSet(device, { lr: 1 }), epochs: 3 },
    );
    // G = 0: π is 1, and V, U and the clip's sum are 0.
    expect(bytesOf(after.model.parameters())).toBe(bytesOf(before.model.parameters()));
  });

  it.skipIf(missing !== null)(
    'keeps its last inverse when one fails, three times in a row',
    async () => {
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
            ...wholeSet(device, {
              lr: 1e-3,
              damping: 1e-40,
              statisticsEvery: 2,
              inversesEvery: 2,
              ...given,
            }),
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
    },
  );

  it.skipIf(missing !== null)('names the tensor of a factor that overflows', async () => {
    const data: Dataset = {
      ...images(),
      inputs: { data: new Float32Array(ROWS * 40).fill(1e25), shape: IMAGE },
    };
    const tiny: Layer = (x, scope) => scope.call('fc', linear(CLASSES), ops.flatten(x));
    const error = await fit(
      tiny,
      { train: data },
      // A gradient of this size is refused before its factors are.
      { ...wholeSet(device, { lr: 1 }), epochs: 1, onNonFinite: 'allow' },
    ).catch((e: unknown) => e);
    expect(error).toMatchObject({
      code: 'FLATMIN_NUMERICS',
      message: expect.stringContaining(
        'A matrix statistic of "fc.weight" is not finite at step 1.',
      ),
    });
  });
});
