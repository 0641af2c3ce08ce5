import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { RunEvent } from '../../src/cli/run-events.ts';
import { RunFolder } from '../../src/cli/run-folder.ts';
import { tensorboardSink } from '../../src/cli/tensorboard.ts';
import { readEvents } from '../report/read-events.ts';

const folder = mkdtempSync(join(tmpdir(), 'flatmin-tensorboard-'));
afterAll(() => rmSync(folder, { recursive: true }));

const run = { optimizer: 'sgd', synthetic: true } as const;
const start = { event: 'start', examples: 25, batch: 10 } as RunEvent;
const epoch = (k: number) =>
  ({
    event: 'epoch',
    ...run,
    epoch: k,
    trainLoss: 1 / k,
    testLoss: 2 / k,
    testAccuracy: k / 4,
    epochSeconds: 2,
  }) as const;
const evaluation = {
  event: 'evaluation',
  ...run,
  step: 5,
  epoch: 2,
  seconds: 1,
  testLoss: 0.5,
  metrics: { f1: 0.25 },
} as const;
const result = { event: 'result', ...run } as RunEvent;

/** What a file holds of events at 1000, 1001, … seconds. */
function kept(name: string, events: readonly RunEvent[]) {
  const own = new RunFolder(join(folder, name));
  let now = 1000;
  const sink = tensorboardSink(own, () => now++);
  for (const event of events) sink.take(event);
  return readEvents(own.tensorboard).map(({ wall_time, step = 0, summary }) => [
    wall_time,
    step,
    Object.fromEntries((summary?.value ?? []).map(({ tag, simple_value }) => [tag, simple_value])),
  ]);
}

const first = { 'train/loss': 1, 'train/seconds': 2, 'test/loss': 2, 'test/accuracy': 0.25 };
const second = { 'train/loss': 0.5, 'train/seconds': 2, 'test/loss': 1, 'test/accuracy': 0.5 };
const between = { 'test/loss': 0.5, 'test/f1': 0.25 };

describe('tensorboardSink', () => {
  const begin = { event: 'training', epochs: 0, row: 0 } as const;

  it('writes epochs and evaluations at their steps as they come', () => {
    expect(
      kept('whole', [start, begin, epoch(1), evaluation, epoch(2), result, { event: 'end' }]),
    ).toEqual([
      [1000, 0, {}],
      [1001, 3, first],
      [1002, 5, between],
      [1003, 6, second],
    ]);
  });

  it('writes the past of a resumed run anew, two seconds an epoch ago', () => {
    kept('resumed', [start, begin, epoch(1), evaluation]);
    const events = [start, epoch(1), { event: 'training', epochs: 1, row: 0 } as const, epoch(2)];
    expect(kept('resumed', events)).toEqual([
      [998, 0, {}],
      [1000, 3, first],
      [1001, 6, second],
    ]);
  });

  it('writes a finished run that is told again', () => {
    const told = [start, epoch(1), evaluation, epoch(2), result];
    expect(kept('finished', told).map(([, step]) => step)).toEqual([0, 3, 5, 6]);
  });

  it('is named so that TensorBoard takes it', () => {
    const { tensorboard } = new RunFolder(join(folder, 'whole'));
    expect(tensorboard).toMatch(/tfevents/);
    expect(readFileSync(tensorboard).length).toBeGreaterThan(100);
  });
});
