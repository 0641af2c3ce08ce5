import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  adamw,
  crossEntropy,
  type Dataset,
  type FitOptions,
  FlatminError,
  fit,
  type Layer,
  linear,
  ops,
  relu,
  sequential,
  sgd,
  tanh,
} from '../../src/index.ts';
import { readSafetensors, writeSafetensors } from '../../src/train/safetensors.ts';
import { present } from '../optim/devices.ts';
import { circle, network } from './task.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'flatmin-checkpoint-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** The circle with a NaN in one example. */
function poisoned(count: number): Dataset {
  const clean = circle(count);
  const data = Float32Array.from(clean.inputs.data);
  data[5] = NaN;
  return { ...clean, inputs: { ...clean.inputs, data } };
}

/** Equal but for the time it took. */
const timeless = <T extends { epochSeconds: number }>(history: readonly T[]) =>
  history.map((metrics) => ({ ...metrics, epochSeconds: 0 }));

describe.each(present)('skipped steps on %s', (device) => {
  const options = {
    optimizer: adamw({ lr: 0.01 }),
    onNonFinite: 'skip',
    epochs: 3,
    batch: 10,
    seed: 2,
    device,
  } as const;
  const train = (
    name: string,
    data: { train: Dataset; test?: Dataset },
    more: Partial<FitOptions>,
  ) => fit(network(), data, { ...options, checkpoint: join(dir, `${device} ${name}`), ...more });

  it('count neither in the epoch’s mean nor in the way of a resumed run', async () => {
    const told: { epoch: number; loss: number; skipped?: number }[] = [];
    const data = { train: poisoned(35), test: poisoned(7) };
    const whole = await train('whole', data, { onStep: (report) => told.push(report) });
    expect(told.filter(({ skipped }) => skipped === 1)).toHaveLength(3);
    whole.history.forEach(({ trainLoss, testLoss }, epoch) => {
      const taken = told.filter((step) => step.epoch === epoch && step.skipped === 0);
      // Batches of 10, 10, 10 and 5 rows.
      const rows: number[] = taken.map((step) => (told.indexOf(step) % 4 === 3 ? 5 : 10));
      const sum = taken.reduce((total, { loss }, i) => total + loss * rows[i], 0);
      expect(trainLoss).toBeCloseTo(sum / rows.reduce((a, b) => a + b), 12);
      expect(testLoss).toBeNaN();
    });

    for (const stopAt of [1, 3, 4, 6, 9]) {
      const controller = new AbortController();
      const { stopped } = await train(`stopped ${stopAt}`, data, {
        signal: controller.signal,
        onStep: ({ step }) => step === stopAt && controller.abort(),
      });
      expect(stopped).toBe('aborted');
      const resumed = await train(`stopped ${stopAt}`, data, { resume: true });
      expect(timeless(resumed.history)).toEqual(timeless(whole.history));
      expect(resumed.model.parameters()).toEqual(whole.model.parameters());
    }
  });

  it('may be all of an epoch, whose mean is then NaN', async () => {
    const data = { train: { ...poisoned(10) } };
    const { history } = await train('none', data, { epochs: 1 });
    expect(history[0].trainLoss).toBeNaN();
    const resumed = await train('none', data, { epochs: 2, resume: true });
    expect(resumed.history.map(({ trainLoss }) => trainLoss)).toEqual([NaN, NaN]);
  });

  it('may begin where a run stopped with an error', async () => {
    const data = { train: poisoned(35) };
    const stopped = train('policy', data, { onNonFinite: 'throw' });
    await expect(stopped).rejects.toMatchObject({ code: 'FLATMIN_NUMERICS' });
    await train('policy', { train: circle(35) }, { epochs: 1, onNonFinite: 'throw' });
    const { history } = await train('policy', { train: circle(35) }, { resume: true });
    expect(history).toHaveLength(3);
  });
});

const train = (
  checkpoint: string,
  more: Partial<FitOptions> = {},
  data = circle(25),
  model: Layer = network(),
) =>
  fit(
    model,
    { train: data },
    {
      optimizer: adamw({ lr: 0.01 }),
      epochs: 1,
      batch: 10,
      device: 'js',
      checkpoint,
      ...more,
    },
  );

const refusal = async (run: Promise<unknown>): Promise<string> => {
  const error = await run.then(
    () => expect.unreachable('it is resumed'),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(FlatminError);
  expect(error).toMatchObject({ code: 'FLATMIN_CHECKPOINT' });
  return (error as FlatminError).message.replaceAll(dir, '');
};

describe('a checkpoint', () => {
  let file: string;
  beforeAll(async () => {
    file = join(dir, 'checkpoint');
    await train(file);
  });
  const resumed = (more: Partial<FitOptions> = {}, data?: Dataset, model?: Layer) =>
    refusal(train(file, { epochs: 2, resume: true, ...more }, data, model));

  it('says what differs of the options', async () => {
    expect(await resumed({ optimizer: adamw({ lr: 0.02 }), seed: 4 })).toBe(
      '/checkpoint: it was written by another run: seed 0, not 4; optimizer.lr 0.01, not 0.02. Help: resume with the same model, data and options, or choose another file.',
    );
    expect(await resumed({ optimizer: sgd({ lr: 0.01 }) })).toMatch(
      /optimizer\.name "adamw", not "sgd"; /,
    );
    const loss = crossEntropy();
    const twice = {
      ...loss,
      trace: (...given: Parameters<typeof loss.trace>) =>
        ops.add(loss.trace(...given), ops.sum(given[0])),
    };
    expect(await resumed({ loss: twice })).toMatch(/; model\.\d+ absent, not "sum\(/);
  });

  it('says what differs of the model, the same tensors or not', async () => {
    const layers = (activation: () => Layer) => sequential(linear(8), activation(), linear(2));
    const own = join(dir, 'activation');
    await train(own, {}, undefined, layers(tanh));
    const message = await refusal(train(own, { epochs: 2, resume: true }, undefined, layers(relu)));
    expect(message).toMatch(
      /: model\.\d "tanh\(%2\) → f32\[10, 8\]", not "relu\(%2\) → f32\[10, 8\]"; step "[0-9a-f]{16}", not /,
    );
  });

  it('says what differs of the data', async () => {
    const data = circle(25);
    const inputs = { ...data.inputs, data: Float32Array.from(data.inputs.data) };
    inputs.data[7] += 1e-6;
    expect(await resumed({}, { ...data, inputs })).toMatch(
      /: train\.inputs "2 Float32Array [0-9a-f]{16}", not "2 Float32Array [0-9a-f]{16}"\. Help/,
    );
    const labels = data.labels.slice();
    labels[3] = 1 - labels[3];
    expect(await resumed({}, { ...data, labels })).toMatch(/run: train\.targets [^;]*$/);
    expect(await resumed({}, circle(24))).toMatch(/run: train\.count 25, not 24; /);
  });

  const change = (path: string, value: unknown) => () => {
    const { tensors, metadata } = readSafetensors(file);
    const saved = JSON.parse(metadata.training);
    const names = path.split('.');
    const last = names.pop() as string;
    names.reduce((at, name) => at[name], saved)[last] = value;
    return { tensors, metadata: { ...metadata, training: JSON.stringify(saved) } };
  };
  const metadata = (changes: Record<string, string>) => () => {
    const { tensors, metadata } = readSafetensors(file);
    return { tensors, metadata: { ...metadata, ...changes } };
  };
  it.each([
    ['position.step', change('position.step', 1e300)],
    ['position.step', change('position.step', 2)],
    ['position.step', change('position.step', '3')],
    ['position.epoch', change('position.epoch', 0.5)],
    ['position.step', change('position.epoch', 7)],
    ['position.row', change('position.row', -5)],
    ['position.row', change('position.row', 5)],
    ['position.row', change('position.row', 30)],
    ['position.seconds', change('position.seconds', 'NaN')],
    ['position.seconds', change('position.seconds', -1)],
    ['position.lossSum', change('position.lossSum', null)],
    ['position.counted', change('position.counted', null)],
    ['history', change('history', [])],
    ['history.0.epoch', change('history.0.epoch', 2)],
    ['history.0.trainLoss', change('history.0.trainLoss', 'much')],
    ['history.0.epochSeconds', change('history.0.epochSeconds', undefined)],
    ['position', metadata({ training: '{}' })],
    ['the whole', metadata({ training: '7' })],
    ['the whole', metadata({ training: `${'['.repeat(1e5)}${']'.repeat(1e5)}` })],
  ])('names the field %s that no run comes to', async (field, make) => {
    const bad = join(dir, 'bad');
    writeSafetensors(bad, make() as Parameters<typeof writeSafetensors>[1]);
    const message = await refusal(train(bad, { epochs: 2, resume: true }));
    expect(message.startsWith(`/bad: its metadata.training.${field}: `), message).toBe(true);
  });

  it.each([
    ['is not JSON', { training: '{' }],
    ['is not JSON', { configuration: '' }],
    ['metadata.configuration.the whole: ', { configuration: '7' }],
    ['it was written by another run: ', { configuration: '{}' }],
    [
      'it was written by another run: ',
      { configuration: `{"a":${'['.repeat(1e4)}${']'.repeat(1e4)}}` },
    ],
    [
      'this is not a flatmin checkpoint 2; its format is "flatmin checkpoint 1"',
      { format: 'flatmin checkpoint 1' },
    ],
  ])('is refused where %s', async (why, changes) => {
    const bad = join(dir, 'bad');
    writeSafetensors(bad, metadata(changes)() as Parameters<typeof writeSafetensors>[1]);
    const message = await refusal(train(bad, { epochs: 2, resume: true }));
    expect(message).toMatch(/^\/bad: /);
    expect(message).toContain(why);
  });

  it('stays as it is when a run cannot be resumed', async () => {
    const before = readFileSync(file);
    await resumed({ seed: 9 });
    expect(readFileSync(file)).toEqual(before);
  });
});
