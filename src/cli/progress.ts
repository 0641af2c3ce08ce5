import { SingleBar } from 'cli-progress';
import type { EpochMetrics } from '../train/checkpoint.ts';
import type { StepReport } from '../train/training.ts';
import { Meter } from './meter.ts';
import { type BarState, barLine, epochLine } from './progress-lines.ts';
import type { RunSettings } from './settings.ts';

/** Shows how far one run has come. */
export interface Progress {
  /** `past`: epochs done before; `row`: rows of the next one done before. */
  start(past: readonly EpochMetrics[], row: number): void;
  /** Absent where nobody watches the steps. */
  readonly step?: (report: StepReport) => void;
  epoch(metrics: EpochMetrics): void;
  /** At the end, or on a failure before or after the start. */
  stop(): void;
}

/** A line an epoch. */
export const lineProgress = (settings: RunSettings, stream: NodeJS.WritableStream): Progress => ({
  start: (past) => {
    if (past.length > 0) stream.write(`${epochLine(settings, past[past.length - 1])}  (resumed)\n`);
  },
  epoch: (metrics) => {
    stream.write(`${epochLine(settings, metrics)}\n`);
  },
  stop: () => {},
});

/** A bar over all epochs; the last epoch's line takes its place. */
export function barProgress(settings: RunSettings, stream: NodeJS.WriteStream): Progress {
  const { examples, epochs } = settings;
  const bar = new SingleBar({
    stream,
    clearOnComplete: true,
    linewrap: true,
    format: (_options, _params, state: BarState) => barLine(settings, state, stream.columns),
  });
  let meter: Meter;
  let last: EpochMetrics | undefined;
  return {
    start: (past, row) => {
      last = past.at(-1);
      const sample = past.length * examples + row;
      meter = new Meter(examples, epochs, sample);
      bar.start(epochs * examples, sample, {
        epoch: Math.min(past.length + 1, epochs),
        done: sample / (epochs * examples),
        testAccuracy: last?.testAccuracy,
      });
    },
    step: (report) => {
      const state: BarState = {
        reading: meter.step(report),
        epoch: report.epoch + 1,
        done: meter.sample / (epochs * examples),
        testAccuracy: last?.testAccuracy,
      };
      bar.update(meter.sample, state);
    },
    epoch: (metrics) => {
      last = metrics;
      meter.beginEpoch();
    },
    stop: () => {
      bar.stop();
      if (last !== undefined) stream.write(`${epochLine(settings, last)}\n`);
    },
  };
}
