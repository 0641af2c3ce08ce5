import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { LossChart } from '../../src/cli/loss-chart.ts';
import { Meter } from '../../src/cli/meter.ts';
import { barProgress, lineProgress } from '../../src/cli/progress.ts';
import { barLine, clock, epochLine } from '../../src/cli/progress-lines.ts';
import type { RunSettings } from '../../src/cli/settings.ts';

const settings = { optimizer: 'lion', epochs: 20, examples: 100 } as RunSettings;
const metrics = {
  epoch: 3,
  trainLoss: 0.03125,
  testLoss: 0.0625,
  testAccuracy: 0.98765,
  epochSeconds: 2.25,
};

const epoch = { event: 'epoch', optimizer: 'lion', synthetic: true, ...metrics } as const;

describe('the meter', () => {
  it('tells speed, time left and the mean loss of the epoch', () => {
    let now = 0;
    const meter = new Meter(100, 3, 150, () => now);
    now = 1000;
    expect(meter.step({ step: 1, epoch: 1, row: 80, loss: 4, weight: 30 })).toEqual({
      loss: 4,
      samplesPerSecond: 30,
      secondsLeft: 4,
    });
    meter.step({ step: 2, epoch: 1, row: 100, loss: 1, weight: 20 });
    now = 3000;
    meter.beginEpoch();
    now = 4000;
    const reading = meter.step({ step: 3, epoch: 2, row: 10, loss: 0.5, weight: 10 });
    expect(reading).toEqual({ loss: 0.5, samplesPerSecond: 10, secondsLeft: 90 / (60 / 4) });
  });
});

describe('progress lines', () => {
  const reading = { loss: 0.0312, samplesPerSecond: 18432, secondsLeft: 83.2 };

  it('fit the terminal', () => {
    const state = { epoch: 3, done: 0.5, reading, testAccuracy: 0.98765 };
    expect(barLine(settings, state, 100)).toMatchInlineSnapshot(
      `"lion     epoch  3/20  ████████░░░░░░░░  loss 0.0312  accuracy 0.9877   18,400 samples/s   1:24 left"`,
    );
    expect(barLine(settings, state, 80)).toMatchInlineSnapshot(
      `"lion     epoch  3/20  █████░░░░  loss 0.0312  acc 0.9877   18,400/s   1:24 left"`,
    );
    expect(barLine(settings, state, 40)).toHaveLength(39);
    expect(barLine(settings, { epoch: 1, done: 0 }, 100)).toMatchInlineSnapshot(
      `"lion     epoch  1/20  ░░░░░░░░░░░░░░░░  loss      –  accuracy      –        – samples/s      – left"`,
    );
    expect(epochLine(settings, metrics)).toMatchInlineSnapshot(
      `"lion     epoch  3/20  loss 0.0313  test loss 0.0625  accuracy 0.9877  2.3 s"`,
    );
  });

  it('chart the loss where there is room, on a logarithmic scale', () => {
    const losses = new LossChart();
    for (let i = 0; i < 100; i++) losses.step(2 ** -(i / 10), 50);
    const state = { epoch: 3, done: 0.5, reading, losses, testAccuracy: 0.98765 };
    expect(barLine(settings, state, 100)).not.toMatch(/[▁-▇]/);
    expect(barLine(settings, state, 130)).toMatchInlineSnapshot(
      `"lion     epoch  3/20  ███████░░░░░░░  ████▇▇▇▇▆▆▆▅▅▅▅▄▄▄▄▃▃▃▂▂▂▂▁▁▁▁  loss 0.0312  accuracy 0.9877   18,400 samples/s   1:24 left"`,
    );
    expect(barLine(settings, state, 200)).toMatchInlineSnapshot(
      `"lion     epoch  3/20  ████████████████████░░░░░░░░░░░░░░░░░░░░  █████▇▇▇▆▆▆▆▅▅▅▅▄▄▄▄▃▃▃▃▂▂▂▂▁▁▁▁  loss 0.0312  accuracy 0.9877   18,400 samples/s   1:24 left"`,
    );
    for (let columns = 20; columns < 220; columns++) {
      expect(barLine(settings, state, columns).length).toBeLessThan(columns);
    }
  });

  it('write times as on a clock', () => {
    const times = [0.2, 59.5, 3599, 3661, Number.POSITIVE_INFINITY, undefined].map(clock);
    expect(times).toEqual(['0:01', '1:00', '59:59', '1:01:01', '–', '–']);
  });
});

describe('the chart of losses', () => {
  const drawn = (losses: readonly number[], width = 8) => {
    const chart = new LossChart(8);
    for (const loss of losses) chart.step(loss, 1);
    return chart.draw(width);
  };

  it('begins with the second step and keeps the whole run', () => {
    expect(drawn([])).toBe('');
    expect(drawn([1])).toBe('');
    expect(drawn([4, 2, 1])).toBe('█▅▁');
    // Four means of 16 steps each.
    expect(drawn(Array.from({ length: 64 }, (_, i) => 2 ** -Math.floor(i / 16)))).toBe('█▆▃▁');
    expect(drawn([4, 4, 1, 1], 2)).toBe('█▁');
  });

  it('takes losses that are equal, 0, or not finite', () => {
    expect(drawn([1, 1])).toBe('▅▅');
    expect(drawn([4, 1, 0])).toBe('█▁▁');
    expect(drawn([4, Number.NaN, 1, Number.POSITIVE_INFINITY])).toBe('█×▁×');
    expect(drawn([Number.NaN, Number.NaN])).toBe('××');
  });
});

describe('progress', () => {
  it('is a line an epoch where nobody watches', () => {
    const stream = new PassThrough();
    const progress = lineProgress(settings, stream);
    progress.take({ ...epoch, epoch: 2 });
    progress.take({ event: 'training', epochs: 2, row: 0 });
    progress.take(epoch);
    progress.take({ event: 'end' });
    const lines = stream.read().toString().split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(/^lion {5}epoch {2}2\/20 .* \(resumed\)$/);
    expect(lines[1]).toBe(epochLine(settings, metrics));
  });

  it('is a bar on a terminal, and in the end the last epoch', () => {
    const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 100 });
    const progress = barProgress(settings, stream as unknown as NodeJS.WriteStream);
    progress.take({ event: 'training', epochs: 0, row: 0 });
    progress.take({ event: 'step', step: 1, epoch: 0, row: 50, loss: 2.3, weight: 50 });
    progress.take(epoch);
    progress.take({ event: 'end' });
    const written = stream.read().toString();
    expect(written).toContain('lion     epoch  1/20  ░░░');
    expect(written).toContain('loss 2.3000');
    expect(written.endsWith(`${epochLine(settings, metrics)}\n`)).toBe(true);
  });

  it('may be stopped before it started', () => {
    const stream = new PassThrough();
    barProgress(settings, stream as unknown as NodeJS.WriteStream).take({ event: 'end' });
    expect(stream.read()).toBeNull();
  });
});
