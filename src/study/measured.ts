import { groupBy } from '../group.ts';
import { deviation, mean, median } from '../statistics.ts';
import type { Point as Values } from '../sweep/space.ts';
import type { Finished } from '../sweep/trial.ts';
import type { Experiment } from './experiment.ts';
import type { Entries, Part, Setting } from './part.ts';
import { Parts } from './parts.ts';
import { type Point, reaching } from './target.ts';
import type { Sample } from './verdict.ts';

/** A run as a study looks at it. */
export interface Run {
  readonly comparison: string;
  readonly contender: string;
  readonly seed: number;
  /** Its numbers were no longer finite, or its loss grew beyond hope. */
  readonly diverged: boolean;
  /** Evaluations along the way. */
  readonly curve: readonly (Omit<Point, 'value'> & {
    readonly testLoss: number;
    readonly metrics: Readonly<Record<string, number>>;
  })[];
  /** One an epoch. */
  readonly epochs: readonly {
    readonly trainLoss: number;
    readonly testLoss: number;
    readonly metrics: Readonly<Record<string, number>>;
    /** Training alone. */
    readonly seconds: number;
  }[];
}

type Epoch = Run['epochs'][number];

/** What claims are judged by: runs, and samples of what they measured by seed. */
export class Measured {
  readonly runs: readonly Run[];
  readonly #grids: Readonly<Record<string, readonly Finished[]>>;
  readonly #targets: Readonly<Record<string, number>>;
  readonly #parts: Readonly<Record<string, readonly Part[]>>;

  /** `targets` by comparison, `parts` by experiment. */
  constructor(
    runs: readonly Run[],
    targets: Readonly<Record<string, number>>,
    grids: Readonly<Record<string, readonly Finished[]>> = {},
    parts: Readonly<Record<string, readonly Part[]>> = {},
  ) {
    this.runs = runs;
    this.#grids = grids;
    this.#targets = targets;
    this.#parts = parts;
  }

  /** What an experiment has yielded, in the order of its settings and seeds. */
  parts<S extends Setting, E extends Entries>({ name, sizes }: Experiment<S, E>): Parts<S, E> {
    const all = (this.#parts[name] ?? []) as readonly Part<S, E>[];
    const settings = [...sizes.quick.settings, ...sizes.full.settings].map((s) =>
      JSON.stringify(s),
    );
    const place = ({ setting, seed }: Part) => [settings.indexOf(JSON.stringify(setting)), seed];
    const ordered = all.toSorted((a, b) => {
      const [[i, k], [j, l]] = [place(a), place(b)];
      return i - j || k - l;
    });
    return new Parts(name, ordered);
  }

  grid(name: string): MeasuredGrid {
    return new MeasuredGrid(name, this.#grids[name] ?? []);
  }

  target(comparison: string): number {
    return this.#targets[comparison];
  }

  of(comparison: string, contender: string): Run[] {
    return this.runs.filter((run) => run.comparison === comparison && run.contender === contender);
  }

  #sample(comparison: string, contender: string, what: string, of: (run: Run) => number): Sample {
    return {
      name: `${contender}: ${what}`,
      values: this.of(comparison, contender).map((run) => of(run)),
    };
  }

  /** Test metric after the last epoch; of a run that diverged 0. */
  final(comparison: string, contender: string, metric = 'accuracy'): Sample {
    return this.#sample(comparison, contender, `final ${metric}`, (run) =>
      run.diverged ? 0 : (run.epochs.at(-1)?.metrics[metric] ?? 0),
    );
  }

  /** The best test metric after any epoch: the published way, which selects on the test data. */
  best(comparison: string, contender: string, metric = 'accuracy'): Sample {
    return this.#sample(comparison, contender, `best ${metric}`, ({ epochs }) =>
      Math.max(0, ...epochs.map(({ metrics }) => metrics[metric])),
    );
  }

  finalTrainLoss(comparison: string, contender: string): Sample {
    return this.#sample(comparison, contender, 'final training loss', ({ diverged, epochs }) =>
      diverged ? Number.POSITIVE_INFINITY : (epochs.at(-1)?.trainLoss ?? Number.NaN),
    );
  }

  /**
   * Training seconds until the smoothed test accuracy is at the target; Infinity where it never was, nothing for runs
   * whose pace is not known.
   */
  seconds(comparison: string, contender: string, target = this.target(comparison)): Sample {
    return known(
      this.#reaching(comparison, contender, target, 'seconds', ({ seconds }) => seconds),
    );
  }

  /** Epochs, parts of them counted, until the same. */
  epochs(comparison: string, contender: string, target = this.target(comparison)): Sample {
    return this.#reaching(comparison, contender, target, 'epochs', ({ epoch }) => epoch);
  }

  #reaching(
    comparison: string,
    contender: string,
    target: number,
    what: string,
    of: (point: Point) => number,
  ): Sample {
    return this.#sample(comparison, contender, `${what} to the target`, (run) => {
      const reached = reaching(
        run.curve.map(({ metrics, ...point }) => ({ ...point, value: metrics.accuracy })),
        target,
      );
      return reached === undefined ? Number.POSITIVE_INFINITY : of(reached);
    });
  }

  /** Training seconds of an epoch, the median of a run's. */
  epochSeconds(comparison: string, contender: string): Sample {
    return known(
      this.#sample(comparison, contender, 'seconds an epoch', ({ epochs }) =>
        median(epochs.map(({ seconds }) => seconds)),
      ),
    );
  }

  /** Test loss after the last epoch over the least of all epochs: above 1 where a run overfits. */
  overfitting(comparison: string, contender: string): Sample {
    return this.#sample(comparison, contender, 'last over least test loss', ({ epochs }) => {
      const losses = epochs.map(({ testLoss }) => testLoss);
      return losses[losses.length - 1] / Math.min(...losses);
    });
  }

  /** The epoch with the least test loss, from 1: where it rises from. */
  turningEpoch(comparison: string, contender: string): Sample {
    return this.#sample(comparison, contender, 'epoch of least test loss', ({ epochs }) => {
      const losses = epochs.map(({ testLoss }) => testLoss);
      return losses.indexOf(Math.min(...losses)) + 1;
    });
  }

  /** The largest fall of the test accuracy from one epoch to the next, from the second on. */
  largestFall(comparison: string, contender: string): Sample {
    const accuracy = ({ metrics }: Epoch) => metrics.accuracy;
    return this.#sample(comparison, contender, 'largest fall of accuracy', ({ epochs }) =>
      Math.max(0, ...epochs.slice(2).map((epoch, i) => accuracy(epochs[i + 1]) - accuracy(epoch))),
    );
  }
}

/** What a grid's trials came to. */
export class MeasuredGrid {
  readonly name: string;
  readonly #points: readonly (readonly Finished[])[];

  constructor(name: string, trials: readonly Finished[]) {
    this.name = name;
    this.#points = [...groupBy(trials, ({ point }) => point).values()];
  }

  /** Test accuracy by seed at the point whose mean accuracy on `set` is the highest; `kept` leaves points out. */
  best(set: 'validation' | 'test', kept: (values: Values) => boolean = () => true): Sample {
    const means = this.#points
      .filter(([{ values }]) => kept(values))
      .map((trials) => ({ trials, mean: mean(trials.map((trial) => accuracy(trial, set))) }));
    const trials = means.toSorted((a, b) => b.mean - a.mean)[0]?.trials ?? [];
    const by = set === 'test' ? 'the test data' : 'validation';
    return this.#sample(`best of ${means.length} by ${by}`, trials);
  }

  /** Test accuracy by seed at its first point: of the grid of one that is the default. */
  first(): Sample {
    const [trials = []] = this.#points;
    return this.#sample('test accuracy', trials);
  }

  /** Standard deviation over points of the test accuracy, by seed. */
  spread(): Sample {
    const seeds = [...new Set(this.#points.flat().map(({ seed }) => seed))];
    const values = seeds.map((seed) =>
      deviation(
        this.#points
          .flat()
          .filter((trial) => trial.seed === seed)
          .map((trial) => accuracy(trial, 'test')),
      ),
    );
    return { name: `${this.name}: spread over the grid`, values };
  }

  /** The values of a dimension, ascending. */
  valuesOf(name: string): number[] {
    const values = this.#points.map(([trial]) => trial.values[name] as number);
    return [...new Set(values)].sort((a, b) => a - b);
  }

  /** Mean test accuracy by values of some of the dimensions. */
  means(names: readonly string[]): { values: Values; mean: number }[] {
    const chosen = ({ values }: Finished) =>
      Object.fromEntries(names.map((name) => [name, values[name]]));
    const cells = groupBy(this.#points.flat(), (trial) => JSON.stringify(chosen(trial)));
    return [...cells.values()].map((trials) => ({
      values: chosen(trials[0]),
      mean: mean(trials.map((trial) => accuracy(trial, 'test'))),
    }));
  }

  /** Share of the variance of test accuracy that each dimension explains alone: of its marginal means, over the whole. */
  mainEffects(): Record<string, number> {
    const trials = this.#points.flat();
    const all = trials.map((trial) => accuracy(trial, 'test'));
    return Object.fromEntries(
      Object.keys(trials[0]?.values ?? {}).map((name) => {
        const levels = [...groupBy(trials, ({ values }) => values[name]).values()];
        const fitted = levels.flatMap((own) =>
          own.map(() => mean(own.map((trial) => accuracy(trial, 'test')))),
        );
        return [name, (deviation(fitted) / deviation(all)) ** 2];
      }),
    );
  }

  #sample(what: string, trials: readonly Finished[]): Sample {
    const values = trials.map((trial) => accuracy(trial, 'test'));
    return { name: `${this.name}: ${what}`, values };
  }
}

/** Of a trial that did not end well 0. */
const accuracy = ({ measures }: Finished, set: 'validation' | 'test'): number =>
  measures[`${set}.accuracy`] ?? 0;

const known = (sample: Sample): Sample => ({
  ...sample,
  values: sample.values.filter((value) => !Number.isNaN(value)),
});

/** A number as a sample of itself. */
export const constant = (name: string, value: number): Sample => ({
  name,
  values: [value, value],
  level: true,
});

/** The one with the lowest median: the best of several, by seconds or epochs. */
export const leastOf = (samples: readonly Sample[]): Sample =>
  samples.reduce((best, sample) => (median(sample.values) < median(best.values) ? sample : best));

export const highestOf = (samples: readonly Sample[]): Sample =>
  samples.reduce((best, sample) => (mean(sample.values) > mean(best.values) ? sample : best));
