import { z } from 'zod';
import {
  checkBoolean,
  checkNames,
  checkOneOf,
  checkText,
  checkWhole,
  wrongArgument,
} from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import { nearest } from '../nearest.ts';
import type { StateDict } from '../step/state-dict.ts';
import { anyNumber } from './json-numbers.ts';

/** When a training ends because it no longer gets better. */
export interface EarlyStoppingOptions {
  /** `testLoss`, `trainLoss`, or the name of a metric such as `accuracy`. Default `testLoss`. */
  readonly metric?: string;
  /** Whether less is better or more. Default `min` for losses, `max` for metrics. */
  readonly mode?: 'min' | 'max';
  /** Evaluations without a better value after which training stops. Default 5. */
  readonly patience?: number;
  /** How much better a value must be to count. Default 0: any. */
  readonly minDelta?: number;
  /** Leave the model with its weights at the best value when training ends, unless it was aborted. Default true. */
  readonly restoreBest?: boolean;
}

export const bestSchema = z.object({
  metric: z.string(),
  mode: z.enum(['min', 'max']),
  value: anyNumber,
  /** Steps taken, and epochs begun, when it was found. */
  step: z.int().nonnegative(),
  epoch: z.int().nonnegative(),
  /** Evaluations since. */
  waited: z.int().nonnegative(),
});

/** The best value so far. */
export type Best = Readonly<z.output<typeof bestSchema>>;

/** The best value and, where they are to be restored, the model's tensors at it. */
export interface Kept {
  readonly best: Best;
  readonly weights: StateDict | undefined;
}

const LOSSES = ['testLoss', 'trainLoss'] as const;

/** What an evaluation, or an epoch, tells. */
interface Told {
  readonly trainLoss?: number;
  readonly testLoss?: number;
  readonly metrics?: Readonly<Record<string, number>>;
}

/** Follows one number from evaluation to evaluation. NaN is never better. */
export class EarlyStopping {
  readonly #metric: string;
  readonly #mode: 'min' | 'max';
  readonly #patience: number;
  readonly #minDelta: number;
  readonly #restores: boolean;
  #kept: Kept | undefined;
  /** The step of the last look: an epoch may end where an evaluation has just been. */
  #looked: number | undefined;

  /** `metrics` are those that evaluation tells; without test data it tells none. */
  constructor(options: EarlyStoppingOptions, metrics: readonly string[] | undefined) {
    const { metric = 'testLoss', patience = 5, minDelta = 0, restoreBest = true } = options;
    const known = metrics === undefined ? ['trainLoss'] : [...LOSSES, ...metrics];
    if (!known.includes(metric)) throw unknownMetric(metric, known, metrics === undefined);
    this.#metric = metric;
    this.#mode = options.mode ?? ((LOSSES as readonly string[]).includes(metric) ? 'min' : 'max');
    this.#patience = patience;
    this.#minDelta = minDelta;
    this.#restores = restoreBest;
  }

  /** What is known so far; another metric's best is none here. */
  resume(kept: Kept | undefined): void {
    const same = kept?.best.metric === this.#metric && kept.best.mode === this.#mode;
    if (same && (kept.weights !== undefined || !this.#restores)) this.#kept = kept;
  }

  get kept(): Kept | undefined {
    return this.#kept;
  }

  get exhausted(): boolean {
    return (this.#kept?.best.waited ?? 0) >= this.#patience;
  }

  /** Takes the value, if this tells it; `weights` are asked for where it is the best. */
  look(told: Told, at: { step: number; epoch: number }, weights: () => StateDict): void {
    const { trainLoss, testLoss, metrics } = told;
    const value = { ...metrics, trainLoss, testLoss }[this.#metric];
    if (value === undefined || at.step === this.#looked) return;
    this.#looked = at.step;
    const known = this.#kept;
    if (known !== undefined && !this.#isBetter(value, known.best.value)) {
      this.#kept = { ...known, best: { ...known.best, waited: known.best.waited + 1 } };
      return;
    }
    const best = { metric: this.#metric, mode: this.#mode, value, ...at, waited: 0 };
    this.#kept = { best, weights: this.#restores ? weights() : undefined };
  }

  #isBetter(value: number, best: number): boolean {
    if (Number.isNaN(best)) return !Number.isNaN(value);
    return this.#mode === 'min' ? value < best - this.#minDelta : value > best + this.#minDelta;
  }
}

/** Throws unless these are options of early stopping. */
export function checkEarlyStopping(options: EarlyStoppingOptions): void {
  checkNames<EarlyStoppingOptions>('earlyStopping', options, {
    metric: true,
    mode: true,
    patience: true,
    minDelta: true,
    restoreBest: true,
  });
  const { metric, mode, patience, minDelta, restoreBest } = options;
  if (metric !== undefined) checkText('earlyStopping.metric', metric);
  if (mode !== undefined) checkOneOf('earlyStopping.mode', mode, ['min', 'max']);
  if (patience !== undefined) checkWhole('earlyStopping.patience', patience, 1);
  if (restoreBest !== undefined) checkBoolean('earlyStopping.restoreBest', restoreBest);
  if (minDelta !== undefined && !(Number.isFinite(minDelta) && minDelta >= 0)) {
    throw wrongArgument('earlyStopping.minDelta', 'a finite number of at least 0', minDelta);
  }
}

function unknownMetric(metric: string, known: readonly string[], untested: boolean): FlatminError {
  const meant = nearest(metric, known);
  const why = untested ? ', and without data.test nothing is evaluated' : '';
  const help = meant === undefined ? '' : ` Help: did you mean "${meant}"?`;
  return new FlatminError(
    'FLATMIN_ARGUMENT',
    `earlyStopping.metric is "${metric}", and there are ${known.join(', ')}${why}.${help}`,
  );
}
