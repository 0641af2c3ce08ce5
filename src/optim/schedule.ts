import { inspect } from 'node:util';
import { checkNames, show } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import { inLine, shown } from '../shown.ts';
import { type Progress, type Rate, rateAt, type Schedule } from '../step/rate.ts';

const schedule = (
  at: (progress: Progress) => number,
  description: { name: string; [option: string]: unknown },
): Schedule =>
  shown(Object.assign(at, { toJSON: () => description }), () => {
    const { name, ...options } = description;
    return `${name} ${inLine(options)}`;
  });

/** A length in epochs or in steps: one of the two. */
export interface Period {
  /** The length in passes over the training data. Default: `steps` alone count. */
  epochs?: number;
  /** The length in optimizer steps. Default: `epochs` alone count. */
  steps?: number;
}

const PERIOD = { epochs: true, steps: true } as const;

/** What a schedule counts in: `done` are the epochs or steps already taken, from 0. */
interface Clock {
  readonly length: number;
  readonly done: (at: Progress) => number;
}

function clock(name: string, { epochs, steps }: Period): Clock {
  const length = epochs ?? steps;
  const both = epochs !== undefined && steps !== undefined;
  if (typeof length !== 'number' || both || !(length > 0)) {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `${name} expects a positive number of either epochs or steps`,
    );
  }
  // Epochs are read by those alone that count in them: reading may throw.
  return { length, done: (at) => (epochs === undefined ? at.step - 1 : at.epoch) };
}

function checkNumbers(name: string, values: Record<string, number>, least = 0): void {
  for (const [option, value] of Object.entries(values)) {
    if (Number.isFinite(value) && value >= least) continue;
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `${name} expects ${option} to be a finite number of at least ${least}, got ${show(value)}`,
    );
  }
}

/** The same rate always. */
export function constant(lr: number): Schedule {
  checkNumbers('constant', { lr });
  return schedule(() => lr, { name: 'constant', lr });
}

/**
 * Options of the cosine schedule: its length in epochs or in steps, and the rate at its end. An unknown option is
 * `FLATMIN_ARGUMENT`.
 */
export interface CosineOptions extends Period {
  /** Rate at the end, default 0. */
  min?: number;
}

const anneal = (max: number, min: number, share: number): number =>
  min + 0.5 * (max - min) * (1 + Math.cos(Math.PI * share));

/**
 * Cosine annealing: ηⱼ = min + ½(max − min)(1 + cos(πj/J)), j the epochs or steps already done (0 … J − 1).
 */
export function cosine(max: number, options: CosineOptions = {}): Schedule {
  checkNames<CosineOptions>('cosine', options, { ...PERIOD, min: true });
  const { min = 0, ...period } = options;
  const { length, done } = clock('cosine', period);
  checkNumbers('cosine', { max, min });
  return schedule((at) => anneal(max, min, Math.min(done(at), length) / length), {
    name: 'cosine',
    max,
    min,
    ...period,
  });
}

/**
 * Options of the cosine schedule with warm restarts: the first cycle's length and how cycles grow. An unknown option is
 * `FLATMIN_ARGUMENT`.
 */
export interface WarmRestartsOptions extends CosineOptions {
  /** Length of a cycle over that of the one before, default 1. */
  factor?: number;
}

/**
 * Warm restarts (SGDR, Loshchilov & Hutter 2017): cosine annealing from `max` to `min` again and again. The first
 * cycle has the length given, each other `factor` times that of the one before.
 */
export function warmRestarts(max: number, options: WarmRestartsOptions = {}): Schedule {
  checkNames<WarmRestartsOptions>('warmRestarts', options, { ...PERIOD, min: true, factor: true });
  const { min = 0, factor = 1, ...period } = options;
  const { length, done } = clock('warmRestarts', period);
  checkNumbers('warmRestarts', { max, min });
  checkNumbers('warmRestarts', { factor }, 1);
  const description = { name: 'warmRestarts', max, min, factor, ...period };
  return schedule((at) => anneal(max, min, shareOfCycle(done(at) / length, factor)), description);
}

/** A restart within rounding of a step is at that step. */
const ROUNDING = 1e-12;

/**
 * How much of its cycle has passed after j = `lengths` × the first cycle's length. Cycle n begins at (fⁿ − 1)/(f − 1)
 * lengths, so with x = log(1 + (f − 1)·lengths)/log f it is n = ⌊x⌋, and (f^(x−n) − 1)/(f − 1) of it has passed.
 */
function shareOfCycle(lengths: number, factor: number): number {
  const growth = factor - 1;
  const whole = Math.min(lengths, Number.MAX_VALUE);
  const perCycle = Math.log1p(growth);
  const x =
    factor === 1 ? whole : Math.log1p(Math.min(growth * whole, Number.MAX_VALUE)) / perCycle;
  const into = Math.max(0, x - Math.floor(x + ROUNDING * (1 + x)));
  return Math.min(1, factor === 1 ? into : Math.expm1(into * perCycle) / growth);
}

/**
 * Options of a rate that falls in steps: by what factor, and after how many epochs or steps. An unknown option is
 * `FLATMIN_ARGUMENT`.
 */
export interface StepDecayOptions extends Period {
  /** What the rate is multiplied by each time, default 0.1. */
  factor?: number;
}

/** Step decay: ηⱼ = start · factor^⌊j/J⌋, a drop every J epochs or steps. */
export function stepDecay(start: number, options: StepDecayOptions = {}): Schedule {
  checkNames<StepDecayOptions>('stepDecay', options, { ...PERIOD, factor: true });
  const { factor = 0.1, ...period } = options;
  const { length, done } = clock('stepDecay', period);
  checkNumbers('stepDecay', { start, factor });
  const drops = (at: Progress) => Math.floor(Math.min(done(at) / length, Number.MAX_VALUE));
  return schedule((at) => start * factor ** drops(at), {
    name: 'stepDecay',
    start,
    factor,
    ...period,
  });
}

/**
 * Linear warm-up in front of any rate: epoch or step i of the first W has i/W of the rate that it begins with. The
 * rate then runs from its beginning where it counts in the same unit; in the other its count goes on meanwhile.
 */
export function warmup(rate: Rate, period: Period): Schedule {
  checkNames<Period>('warmup', period, PERIOD);
  const { length, done } = clock('warmup', period);
  if (typeof rate !== 'function') checkNumbers('warmup', { rate });
  return schedule(
    (at) => {
      const inSteps = period.epochs === undefined;
      const shifted: Progress = {
        step: inSteps ? Math.max(1, at.step - length) : at.step,
        get epoch() {
          return inSteps ? at.epoch : Math.max(0, at.epoch - length);
        },
      };
      return rateAt(rate, shifted) * Math.min(1, (done(at) + 1) / length);
    },
    { name: 'warmup', ...period, rate },
  );
}

/** Schedules by the name in their description, from the rest of it. */
const MAKERS: Readonly<Record<string, (described: Described) => Schedule>> = {
  constant: ({ lr }) => constant(lr as number),
  cosine: ({ max, ...options }) => cosine(max as number, options),
  warmRestarts: ({ max, ...options }) => warmRestarts(max as number, options),
  stepDecay: ({ start, ...options }) => stepDecay(start as number, options),
  warmup: ({ rate, ...period }) =>
    warmup(typeof rate === 'number' ? rate : scheduleFrom(rate), period),
};

type Described = Record<string, unknown>;

/** The schedule that a `toJSON()` describes, as it comes back from `JSON.parse`. */
export function scheduleFrom(description: unknown): Schedule {
  const { name, ...rest } = Object(description) as Described;
  if (typeof name === 'string' && Object.hasOwn(MAKERS, name)) return MAKERS[name](rest);
  throw new FlatminError(
    'FLATMIN_ARGUMENT',
    `A schedule is described by an object whose name is one of ${Object.keys(MAKERS).join(', ')}, got ${inspect(description)}`,
  );
}
