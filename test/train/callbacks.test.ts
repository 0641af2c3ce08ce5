/** Callbacks of `fit`: awaited one at a time, training waits for them, and what they throw is what `fit` rejects with. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type FitOptions, fit, type StepReport, sgd } from '../../src/index.ts';
import { present } from '../optim/devices.ts';
import { bytesOf } from '../optim/tensors.ts';
import { circle, network } from './task.ts';

const EXAMPLES = 60;
const BATCH = 8;
const STEPS = Math.ceil(EXAMPLES / BATCH);

describe.each(present)('callbacks on %s', (device) => {
  const train = (options: Partial<FitOptions> = {}) =>
    fit(
      network(),
      { train: circle(EXAMPLES), test: circle(10) },
      { optimizer: sgd({ lr: 0.1 }), epochs: 2, batch: BATCH, device, ...options },
    );
  const boom = new Error('boom');
  const throws = () => {
    throw boom;
  };
  const rejects = async () => {
    await sleep(1);
    throw boom;
  };

  it.each(['onStart', 'onStep', 'onEpoch'] as const)(
    'fit rejects with what %s throws',
    async (name) => {
      for (const callback of [throws, rejects, () => Promise.reject(boom)]) {
        let calls = 0;
        const failing = () => {
          calls += 1;
          return callback();
        };
        await expect(train({ [name]: failing })).rejects.toBe(boom);
        expect(calls).toBe(1);
      }
      await train();
    },
  );

  it.each([1, 3, STEPS, STEPS + 2])(
    'no step is told of after the one that failed, %i',
    async (last) => {
      for (const fail of [throws, rejects]) {
        const told: number[] = [];
        const onStep = ({ step }: StepReport) => {
          told.push(step);
          return step === last ? fail() : undefined;
        };
        await expect(train({ onStep })).rejects.toBe(boom);
        expect(told).toEqual(Array.from({ length: last }, (_, i) => i + 1));
      }
    },
  );

  it('promises are awaited in order, and change no bit', async () => {
    const log: string[] = [];
    const slow = async (text: string) => {
      log.push(`${text} begins`);
      await sleep(1);
      log.push(`${text} ends`);
    };
    const plain = await train();
    const { model } = await train({
      onStart: () => slow('start'),
      onStep: ({ step }) => slow(`step ${step}`),
      onEpoch: ({ epoch }) => slow(`epoch ${epoch}`),
    });
    expect(bytesOf(model.parameters())).toEqual(bytesOf(plain.model.parameters()));
    const steps = (from: number) => Array.from({ length: STEPS }, (_, i) => `step ${from + i}`);
    const order = ['start', ...steps(1), 'epoch 1', ...steps(STEPS + 1), 'epoch 2'];
    expect(log).toEqual(order.flatMap((text) => [`${text} begins`, `${text} ends`]));
  });

  it('training pauses while a report is being taken', async () => {
    let position: Readonly<{ step: number }> = { step: 0 };
    const seen: number[] = [];
    await train({
      // An epoch that takes longer than a report.
      batch: 1,
      epochs: 1,
      onStart: (_, start) => {
        position = start;
      },
      onStep: async ({ step }) => {
        if (step !== 2) return;
        // A step that had begun may end.
        await sleep(20);
        seen.push(position.step);
        await sleep(30);
        seen.push(position.step);
      },
    });
    expect(seen[1]).toBe(seen[0]);
    expect(position.step).toBe(EXAMPLES);
  });

  it('an abort from within onStep still tells of the steps taken', async () => {
    const controller = new AbortController();
    const told: number[] = [];
    const { stopped } = await train({
      signal: controller.signal,
      onStep: async ({ step }) => {
        await sleep(1);
        told.push(step);
        controller.abort();
      },
    });
    expect(stopped).toBe('aborted');
    expect(told).toEqual(told.map((_, i) => i + 1));
  });
});
