import type { EpochMetrics, StepEvaluation } from '../train/checkpoint.ts';
import type { LossChart } from './loss-chart.ts';
import type { Reading } from './meter.ts';
import type { RunSettings } from './settings.ts';

const NAME_WIDTH = 8;
const BAR_WIDTH = { least: 8, most: 40 };
/** Beside a bar of a middling width. */
const CHART = { least: 10, most: 32, bar: 14 };

export type LineSettings = Pick<RunSettings, 'optimizer' | 'epochs'>;

export interface BarState {
  /** From 1. */
  readonly epoch: number;
  /** Of the whole run, 0 … 1. */
  readonly done: number;
  readonly reading?: Reading;
  readonly losses?: LossChart;
  /** After the last epoch. */
  readonly testAccuracy?: number;
}

/** A finished epoch. */
export function epochLine(settings: LineSettings, metrics: EpochMetrics): string {
  const { epoch, trainLoss, testLoss, epochSeconds } = metrics;
  return [
    head(settings, epoch),
    `loss ${figure(trainLoss)}`,
    `test loss ${figure(testLoss)}`,
    ...judged(metrics),
    `${epochSeconds.toFixed(1)} s`,
  ].join('  ');
}

/** An evaluation after so many steps. */
export const evaluationLine = ({ optimizer }: LineSettings, evaluation: StepEvaluation): string =>
  [
    `${optimizer.padEnd(NAME_WIDTH)} step ${evaluation.step}`,
    `test loss ${figure(evaluation.testLoss)}`,
    ...judged(evaluation),
  ].join('  ');

const judged = ({ metrics, testAccuracy }: Pick<EpochMetrics, 'metrics' | 'testAccuracy'>) =>
  Object.entries(metrics ?? { accuracy: testAccuracy }).map(
    ([name, value]) => `${name} ${figure(value)}`,
  );

/** A run under way, at most `columns` − 1 wide: the bar takes what the figures leave, and leaves the rest to a chart of the loss. */
export function barLine(settings: LineSettings, state: BarState, columns: number): string {
  const begin = head(settings, state.epoch);
  const room = (words: Words) => columns - 5 - begin.length - figures(state, words).length;
  const words = [FULL, SHORT].find((some) => room(some) >= BAR_WIDTH.least);
  if (words === undefined) return `${begin}  ${figures(state, SHORT)}`.slice(0, columns - 1);
  const chart = state.losses?.draw(Math.min(CHART.most, room(words) - CHART.bar - 2)) ?? '';
  const charted = chart.length >= CHART.least ? [chart] : [];
  const left = room(words) - (charted.length === 0 ? 0 : chart.length + 2);
  const width = Math.min(BAR_WIDTH.most, left);
  return [begin, bar(state.done, width), ...charted, figures(state, words)].join('  ');
}

interface Words {
  readonly accuracy: string;
  readonly speed: string;
}
const FULL: Words = { accuracy: 'accuracy', speed: ' samples/s' };
const SHORT: Words = { accuracy: 'acc', speed: '/s' };

const figures = ({ reading, testAccuracy }: BarState, words: Words): string =>
  [
    `loss ${figure(reading?.loss)}`,
    `${words.accuracy} ${figure(testAccuracy)}`,
    `${count(reading?.samplesPerSecond).padStart(7)}${words.speed}`,
    `${clock(reading?.secondsLeft).padStart(5)} left`,
  ].join('  ');

function head({ optimizer, epochs }: LineSettings, epoch: number): string {
  const of = String(epochs);
  return `${optimizer.padEnd(NAME_WIDTH)} epoch ${String(epoch).padStart(of.length)}/${of}`;
}

function bar(done: number, width: number): string {
  const full = Math.round(done * width);
  return '█'.repeat(full) + '░'.repeat(width - full);
}

const UNKNOWN = '–';

const figure = (value: number | undefined): string =>
  (value === undefined ? UNKNOWN : value.toFixed(4)).padStart(6);

/** Speeds have three digits that mean something. */
const count = (value: number | undefined): string =>
  value === undefined || !Number.isFinite(value)
    ? UNKNOWN
    : Number(value.toPrecision(3)).toLocaleString('en');

export function clock(seconds: number | undefined): string {
  if (seconds === undefined || !Number.isFinite(seconds)) return UNKNOWN;
  const whole = Math.ceil(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n: number) => String(n).padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
