/** When test data are evaluated: every so many epochs or steps, with the same training and the same resumption. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adam, type FitOptions, fit, type StepEvaluation } from '../../src/index.ts';
import { present } from '../optim/devices.ts';
import { circle, network } from './task.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'flatmin-cadence-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

const data = { train: circle(45), test: circle(30) };
const options = { optimizer: adam({ lr: 0.02 }), epochs: 5, batch: 10, seed: 1 };
const timeless = <T extends object>(list: readonly T[]) =>
  list.map((item) => ({ ...item, epochSeconds: 0, seconds: 0 }));
const run = (given: Partial<FitOptions> = {}) => fit(network(), data, { ...options, ...given });

describe.each(present)('evaluation on %s', (device) => {
  it('is every so many epochs, and after the last', async () => {
    const each = await run({ device });
    const some = await run({ device, evaluateEvery: { epochs: 2 } });
    const expected = timeless(each.history).map(({ testLoss, testAccuracy, metrics, ...rest }) =>
      [2, 4, 5].includes(rest.epoch) ? { testLoss, testAccuracy, metrics, ...rest } : rest,
    );
    expect(timeless(some.history)).toEqual(expected);
    expect(some.evaluations).toEqual([]);
    const params = [each, some].map(({ model }) => model.parameters());
    expect(params[1]).toEqual(params[0]);
  });

  it('is every so many steps, of which 5 are an epoch', async () => {
    const each = await run({ device });
    const told: StepEvaluation[] = [];
    const some = await run({
      device,
      evaluateEvery: { steps: 10 },
      onEvaluation: (evaluation) => told.push(evaluation),
    });
    expect(told.map(({ step, epoch }) => [step, epoch])).toEqual([
      [10, 2],
      [20, 4],
    ]);
    expect(some.evaluations).toEqual(told);
    const [{ seconds: first }, { seconds: second }] = told;
    const seconds = some.history.map(({ epochSeconds }) => epochSeconds);
    expect(first).toBeGreaterThan(seconds[0]);
    expect(second - first).toBeGreaterThan(seconds[2]);
    expect(second).toBeLessThan(seconds.reduce((sum, x) => sum + x, 0));
    told.forEach(({ testLoss, testAccuracy, metrics }, i) => {
      expect(each.history[2 * i + 1]).toMatchObject({ testLoss, testAccuracy, metrics });
    });
    expect(some.history.map((epoch) => epoch.testLoss !== undefined)).toEqual([
      ...[false, false, false, false],
      true,
    ]);
    expect(some.model.parameters()).toEqual(each.model.parameters());
  });

  it.each([3, 4, 5, 11])(
    'goes on after a stop at step %i as if there had been none',
    async (at) => {
      const evaluateEvery = { steps: 4 };
      const whole = await run({ device, evaluateEvery });
      expect(whole.evaluations.map(({ step }) => step)).toEqual([4, 8, 12, 16, 20, 24]);
      const checkpoint = join(dir, `${device}-${at}`);
      const controller = new AbortController();
      const { stopped } = await run({
        ...{ device, evaluateEvery, checkpoint, signal: controller.signal },
        onStep: ({ step }) => step === at && controller.abort(),
      });
      expect(stopped).toBe('aborted');
      const resumed = await run({ device, evaluateEvery, checkpoint, resume: true });
      expect(timeless(resumed.evaluations)).toEqual(timeless(whole.evaluations));
      expect(timeless(resumed.history)).toEqual(timeless(whole.history));
      expect(resumed.model.parameters()).toEqual(whole.model.parameters());
    },
  );
});

it.each([
  [{}, 'evaluateEvery must be { epochs }, { steps } or both, got {}'],
  [{ epochs: 1, steps: 0 }, 'evaluateEvery must be a whole number of at least 1, got 0'],
  [{ steps: 0 }, 'evaluateEvery must be a whole number of at least 1, got 0'],
  [{ epochs: 1.5 }, 'evaluateEvery must be a whole number of at least 1, got 1.5'],
  [{ step: 5 }, 'Unknown option "step"; did you mean "steps"?'],
])('refuses %o', async (evaluateEvery, message) => {
  await expect(run({ evaluateEvery: evaluateEvery as object })).rejects.toThrow(message);
});

it('without test data evaluates nothing', async () => {
  const { evaluations } = await fit(
    network(),
    { train: circle(20) },
    { ...options, evaluateEvery: { steps: 1 } },
  );
  expect(evaluations).toEqual([]);
});
