/** Trainings that end before their last epoch: by a signal, by a callback, by early stopping, by a loss that grows. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Dataset,
  type EarlyStoppingOptions,
  type FitOptions,
  fit,
  linear,
  loadModel,
  type Metric,
  ops,
  type RegressionDataset,
  type StepEvaluation,
  sequential,
  sgd,
  squaredError,
} from '../../src/index.ts';
import { Divergence } from '../../src/train/divergence.ts';
import { EarlyStopping } from '../../src/train/early-stopping.ts';
import { present } from '../optim/devices.ts';
import { circle, network } from './task.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'flatmin-stopping-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

const data = { train: circle(45), test: circle(30) };
const options = { optimizer: sgd({ lr: 0.5 }), epochs: 6, batch: 10, seed: 1 };
const run = (given: Partial<FitOptions> = {}, on: { train: Dataset; test?: Dataset } = data) =>
  fit(network(), on, { ...options, ...given });
const timeless = <T extends object>(list: readonly T[]) =>
  list.map((item) => ({ ...item, epochSeconds: 0 }));

/** A number that does what a test wants, whatever the model does: one an evaluation, the last for the rest. */
const scripted = (values: readonly number[], name = 'scripted'): Metric => {
  let at = 0;
  return {
    name,
    sums: (output) => [ops.sum(output)],
    of: () => values[Math.min(at++, values.length - 1)],
  };
};

describe.each(present)('on %s', (device) => {
  it('an abort gives what was reached', async () => {
    const controller = new AbortController();
    const whole = await run({ device });
    expect(whole.stopped).toBeUndefined();
    const { model, history, stopped } = await run({
      device,
      signal: controller.signal,
      onEpoch: ({ epoch }) => epoch === 2 && controller.abort(),
    });
    expect(stopped).toBe('aborted');
    expect(timeless(history)).toEqual(timeless(whole.history.slice(0, 2)));
    const two = await run({ device, epochs: 2 });
    expect(model.parameters()).toEqual(two.model.parameters());
    const before = await run({ device, signal: AbortSignal.abort() });
    expect(before).toMatchObject({ stopped: 'aborted', history: [] });
    const late = new AbortController();
    const last = await run({
      device,
      signal: late.signal,
      onEpoch: ({ epoch }) => epoch === 6 && late.abort(),
    });
    expect(last.stopped).toBeUndefined();
  });

  it('callbacks have the model in hand, awaited, and may stop', async () => {
    const path = join(dir, `${device} in hand`);
    const points = data.test.inputs.data as Float32Array;
    const seen: number[] = [];
    const reports: object[] = [];
    const { model, history, stopped } = await run({
      device,
      onEpoch: async (report) => {
        const { epoch, testLoss, testAccuracy, model, stop } = report;
        const { loss, metrics } = await model.evaluate(data.test);
        expect(loss).toBe(testLoss);
        expect(metrics.accuracy).toBe(testAccuracy);
        const y = await model.predictAsync(points);
        expect(model.predict(points)).toEqual(y);
        model.save(path);
        seen.push(epoch);
        reports.push({ ...report });
        if (epoch === 3) stop();
      },
    });
    expect(stopped).toBe('early');
    expect(seen).toEqual([1, 2, 3]);
    expect(reports).toEqual(history);
    const saved = loadModel(network(), path, { device });
    expect(saved.stateDict()).toEqual(model.stateDict());
    // The model goes on with the training, and its predictions too.
    expect(saved.predict(points)).toEqual(model.predict(points));
    // Looking changes nothing.
    const plain = await run({ device, epochs: 3 });
    expect(plain.model.parameters()).toEqual(model.parameters());
  });

  it('an evaluation between steps may stop too, and resuming goes on', async () => {
    const checkpoint = join(dir, `${device} between`);
    const evaluateEvery = { steps: 3 };
    const whole = await run({ device, evaluateEvery });
    const stopped = await run({
      ...{ device, evaluateEvery, checkpoint },
      onEvaluation: async ({ step, model, stop, testLoss }) => {
        expect((await model.evaluate(data.test)).loss).toBe(testLoss);
        if (step === 12) stop();
      },
    });
    expect(stopped.stopped).toBe('early');
    expect(stopped.evaluations.map(untimed)).toEqual(whole.evaluations.slice(0, 4).map(untimed));
    expect(stopped.history).toHaveLength(2);
    const resumed = await run({ device, evaluateEvery, checkpoint, resume: true });
    expect(resumed.stopped).toBeUndefined();
    expect(resumed.model.stateDict()).toEqual(whole.model.stateDict());
    expect(resumed.evaluations.map(untimed)).toEqual(whole.evaluations.map(untimed));
  });

  it('the best weights are restored, after a resumption too', async () => {
    const values = [0.1, 0.5, 0.4, 0.45, 0.3, 0.2];
    const early = (given: EarlyStoppingOptions = {}) => ({
      device,
      earlyStopping: { metric: 'scripted', patience: 3, ...given },
    });
    const two = await run({ device, epochs: 2 });
    const five = await run({ device, epochs: 5 });
    const whole = await run({ ...early(), metrics: [scripted(values)] });
    expect(whole.stopped).toBe('early');
    expect(whole.history).toHaveLength(5);
    const best = { metric: 'scripted', mode: 'max', value: 0.5, step: 10, epoch: 2, waited: 3 };
    expect(whole.best).toEqual(best);
    expect(whole.model.stateDict()).toEqual(two.model.stateDict());
    const last = await run({ ...early({ restoreBest: false }), metrics: [scripted(values)] });
    expect(last.best).toEqual(best);
    expect(last.model.stateDict()).toEqual(five.model.stateDict());
    const patient = await run({ ...early({ patience: 9 }), metrics: [scripted(values)] });
    expect(patient.stopped).toBeUndefined();
    expect(patient.model.stateDict()).toEqual(two.model.stateDict());

    for (const at of [1, 2, 4]) {
      const checkpoint = join(dir, `${device} best ${at}`);
      const controller = new AbortController();
      const aborted = await run({
        ...early(),
        ...{ checkpoint, signal: controller.signal, metrics: [scripted(values)] },
        onEpoch: ({ epoch }) => epoch === at && controller.abort(),
      });
      expect(aborted.stopped).toBe('aborted');
      const reached = await run({ device, epochs: at });
      expect(aborted.model.stateDict()).toEqual(reached.model.stateDict());
      const resumed = await run({
        ...early(),
        ...{ checkpoint, resume: true, metrics: [scripted(values.slice(at))] },
      });
      expect(resumed.stopped).toBe('early');
      expect(resumed.best).toEqual(best);
      expect(resumed.model.stateDict()).toEqual(two.model.stateDict());
      // And once more: nothing is left to do.
      const again = await run({ ...early(), checkpoint, resume: true, metrics: [scripted([9])] });
      expect(again.stopped).toBe('early');
      expect(again.model.stateDict()).toEqual(two.model.stateDict());
      // With more patience it goes on from where it stopped, not from the best.
      const more = await run({
        ...early({ patience: 9 }),
        ...{ checkpoint, resume: true, metrics: [scripted(values.slice(5))] },
      });
      expect(more.stopped).toBeUndefined();
      expect(timeless(more.history).map(({ trainLoss }) => trainLoss)).toEqual(
        patient.history.map(({ trainLoss }) => trainLoss),
      );
    }
  });

  it('a loss that has grown, though finite, stops', async () => {
    const waves: RegressionDataset = {
      name: 'waves',
      synthetic: true,
      inputs: { data: Float32Array.from({ length: 80 }, (_, i) => 3 * Math.sin(i)), shape: [2] },
      targets: { data: Float32Array.from({ length: 40 }, (_, i) => Math.cos(i)), shape: [1] },
      count: 40,
    };
    const train = (lr: number, given: Partial<FitOptions> = {}) =>
      fit(
        sequential(linear(1)),
        { train: waves, test: waves },
        {
          ...{ optimizer: sgd({ lr }), loss: squaredError(), batch: 10, epochs: 12, device },
          ...given,
        },
      );
    const grown = await train(0.5);
    expect(grown.stopped).toBe('diverged');
    // The first look is after 20 steps, five epochs.
    expect(grown.history).toHaveLength(5);
    expect(Number.isFinite(grown.history[4].trainLoss)).toBe(true);
    expect(grown.history[4].testLoss).toBeGreaterThan(0);
    expect((await train(0.05)).stopped).toBeUndefined();
    expect((await train(0.5, { divergence: false })).history).toHaveLength(12);
    const seldom = await train(0.5, { evaluateEvery: { epochs: 12 } });
    expect(seldom.history[4].testLoss).toBe(grown.history[4].testLoss);
    const state = (await train(0, { epochs: 0 })).model.stateDict();
    expect((await train(0.5, { from: state })).stopped).toBeUndefined();
    expect((await train(0.5, { from: state, divergence: 20 })).stopped).toBe('diverged');

    const checkpoint = join(dir, `${device} grown`);
    await train(0.5, { epochs: 3, checkpoint });
    const resumed = await train(0.5, { checkpoint, resume: true });
    expect(resumed.stopped).toBe('diverged');
    expect(timeless(resumed.history)).toEqual(timeless(grown.history));
  });
});

describe('divergence', () => {
  const looks = (losses: readonly number[], { rows = 32, epoch = 20, factor = 20 } = {}) => {
    const divergence = new Divergence();
    const found: number[] = [];
    losses.forEach((loss, i) => {
      divergence.step(loss, rows);
      if ((i + 1) % epoch === 0 && divergence.look(factor)) found.push(i + 1);
    });
    return found;
  };
  const steps = (count: number, loss: (step: number) => number) =>
    Array.from({ length: count }, (_, i) => loss(i));

  it('is a plateau high above the beginning, at every look from the first', () => {
    expect(looks(steps(60, (i) => (i === 0 ? 2.3 : 48_000)))).toEqual([20, 40, 60]);
    expect(looks(steps(60, (i) => 2.3 * 1.2 ** i))).toEqual([40, 60]);
  });

  it('is neither a level below the factor, a spike, nor a descent from one', () => {
    expect(looks(steps(60, (i) => (i === 0 ? 2.3 : 45)))).toEqual([]);
    expect(
      looks(
        steps(600, (i) => (i === 3 ? 1e6 : 2)),
        { epoch: 600 },
      ),
    ).toEqual([]);
    expect(looks(steps(200, (i) => (i >= 16 && i < 20 ? 1e6 : 2)))).toEqual([]);
    expect(looks(steps(200, (i) => (i === 0 ? 1 : 1e6 * 0.9 ** i)))).toEqual([]);
    expect(
      looks(
        steps(200, (i) => (i === 0 ? 1 : 1e6 * 0.99 ** i)),
        { epoch: 100 },
      ),
    ).toEqual([100]);
  });

  it('begins at the median of the first 32 rows', () => {
    const losses = steps(40, (i) => (i === 0 ? 0.001 : 1 + (i % 3)));
    expect(looks(losses, { rows: 32 })).toEqual([20, 40]);
    expect(looks(losses, { rows: 8 })).toEqual([]);
    expect(looks(steps(40, () => 0))).toEqual([]);
    expect(looks(steps(40, () => -1))).toEqual([]);
  });

  it('is looked for when 20 steps have passed', () => {
    expect(
      looks(
        steps(70, (i) => (i === 0 ? 1 : 1e4)),
        { epoch: 7 },
      ),
    ).toEqual([21, 42, 63]);
  });
});

describe('early stopping', () => {
  const follow = (values: readonly number[], given: EarlyStoppingOptions) => {
    const early = new EarlyStopping({ restoreBest: false, ...given }, ['f1']);
    const end = values.findIndex((value, i) => {
      early.look({ testLoss: value, metrics: { f1: value } }, { step: i, epoch: i }, () => ({}));
      return early.exhausted;
    });
    return [end, early.kept?.best.value];
  };

  it('waits as long as it has patience for more than minDelta, never for NaN', () => {
    expect(follow([3, 2, 1, 1, 1, 1], { patience: 3 })).toEqual([5, 1]);
    expect(follow([1, 2, 3, 4], { patience: 3 })).toEqual([3, 1]);
    expect(follow([1, 2, 3, 4], { patience: 3, metric: 'f1' })).toEqual([-1, 4]);
    expect(follow([1, 2, 3, 4], { patience: 3, mode: 'max' })).toEqual([-1, 4]);
    expect(follow([1, 0.95, 0.89, 0.85, 0.8], { patience: 2, minDelta: 0.1 })).toEqual([4, 0.89]);
    expect(follow([NaN, 5, NaN, NaN], { patience: 2 })).toEqual([3, 5]);
    expect(follow([NaN, NaN, NaN], { patience: 2 })).toEqual([2, NaN]);
  });

  it('looks once at a step where both an evaluation and an epoch end', async () => {
    const { best, evaluations, history } = await run({
      ...{ device: 'js', epochs: 2, evaluateEvery: { steps: 5, epochs: 1 } },
      ...{ metrics: [scripted([5, 1, 4, 1])], earlyStopping: { metric: 'scripted' } },
    });
    expect(evaluations.map(({ step }) => step)).toEqual([5, 10]);
    expect(history[1].metrics?.scripted).toBe(1);
    expect(best).toMatchObject({ value: 5, step: 5, waited: 1 });
  });

  it('may follow the training loss, without test data', async () => {
    const { stopped, best, history } = await run(
      {
        device: 'js',
        optimizer: sgd({ lr: 0 }),
        earlyStopping: { metric: 'trainLoss', patience: 2 },
      },
      { train: data.train },
    );
    expect(stopped).toBe('early');
    expect(best?.value).toBe(Math.min(...history.map(({ trainLoss }) => trainLoss)));
  });
});

it.each([
  [{ earlyStopping: 3 }, 'The options of earlyStopping must be an object, got 3'],
  [{ earlyStopping: { metrics: 'f1' } }, 'Unknown option "metrics"; did you mean "metric"?'],
  [
    { earlyStopping: { metric: 'acuracy' } },
    'earlyStopping.metric is "acuracy", and there are testLoss, trainLoss, accuracy. Help: did you mean "accuracy"?',
  ],
  [
    { earlyStopping: { patience: 0 } },
    'earlyStopping.patience must be a whole number of at least 1',
  ],
  [{ earlyStopping: { mode: 'least' } }, "earlyStopping.mode must be one of min, max, got 'least'"],
  [
    { earlyStopping: { minDelta: -1 } },
    'earlyStopping.minDelta must be a finite number of at least 0',
  ],
  [{ earlyStopping: { restoreBest: 1 } }, 'earlyStopping.restoreBest must be true or false, got 1'],
  [{ divergence: 1 }, 'divergence must be a number above 1, or false, got 1'],
  [{ divergence: true }, 'divergence must be a number above 1, or false, got true'],
  [{ from: 3 }, 'from must be an object, got 3'],
])('refuses %o', async (given, message) => {
  await expect(run(given as never)).rejects.toThrow(message);
});

it('refuses to follow test data that are not there', async () => {
  await expect(run({ earlyStopping: {} }, { train: data.train })).rejects.toThrow(
    'earlyStopping.metric is "testLoss", and there are trainLoss, and without data.test nothing is evaluated',
  );
});

const untimed = ({ seconds: _, ...evaluation }: StepEvaluation) => evaluation;
