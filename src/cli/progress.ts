import { SingleBar } from 'cli-progress';
import type { EpochMetrics } from '../train/checkpoint.ts';
import type { StepReport } from '../train/training.ts';
import { LossChart } from './loss-chart.ts';
import { Meter } from './meter.ts';
import { type BarState, barLine, epochLine, evaluationLine } from './progress-lines.ts';
import type { Sink } from './run-events.ts';
import type { RunSettings } from './settings.ts';

/** A line an epoch, and an evaluation. */
export function lineProgress(settings: RunSettings, stream: NodeJS.WritableStream): Sink {
  let last: EpochMetrics | undefined;
  let training = false;
  return {
    take: (event) => {
      if (event.event === 'training') {
        training = true;
        if (last !== undefined) stream.write(`${epochLine(settings, last)}  (resumed)\n`);
      } else if (event.event === 'epoch') {
        last = event;
        if (training) stream.write(`${epochLine(settings, event)}\n`);
      } else if (event.event === 'evaluation' && training) {
        stream.write(`${evaluationLine(settings, event)}\n`);
      }
    },
  };
}

/** A bar over all epochs; the last epoch's line takes its place. */
export function barProgress(settings: RunSettings, stream: NodeJS.WriteStream): Sink {
  const { examples, epochs } = settings;
  const bar = new SingleBar({
    stream,
    clearOnComplete: true,
    linewrap: true,
    format: (_options, _params, state: BarState) => barLine(settings, state, stream.columns),
  });
  let meter: Meter | undefined;
  const losses = new LossChart();
  let last: EpochMetrics | undefined;
  let testAccuracy: number | undefined;
  const start = (past: number, row: number) => {
    const sample = past * examples + row;
    meter = new Meter(examples, epochs, sample);
    const state: BarState = {
      epoch: Math.min(past + 1, epochs),
      done: sample / (epochs * examples),
      testAccuracy,
    };
    bar.start(epochs * examples, sample, state);
  };
  const step = (report: StepReport, running: Meter) => {
    const reading = running.step(report);
    losses.step(report.loss, report.weight);
    const done = running.sample / (epochs * examples);
    const state: BarState = { reading, losses, epoch: report.epoch + 1, done, testAccuracy };
    bar.update(running.sample, state);
  };
  return {
    steps: true,
    take: (event) => {
      if (event.event === 'training') start(event.epochs, event.row);
      else if (event.event === 'step' && meter !== undefined) step(event, meter);
      else if (event.event === 'evaluation') testAccuracy = event.testAccuracy;
      else if (event.event === 'epoch') {
        last = event;
        testAccuracy = event.testAccuracy ?? testAccuracy;
        meter?.beginEpoch();
      } else if (event.event === 'end') {
        bar.stop();
        if (meter !== undefined && last !== undefined) {
          stream.write(`${epochLine(settings, last)}\n`);
        }
      }
    },
  };
}
