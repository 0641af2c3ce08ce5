import type { Bar, Report, Section, Provenance as Source } from '../report/report.ts';
import { deviation, mean, median } from '../statistics.ts';
import type { Finished } from '../sweep/trial.ts';
import { bootstrap, type Estimate, ratioOf } from './bootstrap.ts';
import { leastOf, type Measured, type Run } from './measured.ts';
import type { Size } from './size.ts';
import type { Comparison, Contender, Grid, Study } from './study.ts';
import type { Provenance, StudyFolder } from './study-folder.ts';
import { performanceProfile } from './target.ts';
import type { Sample } from './verdict.ts';

export interface ReportOptions {
  readonly size: Size;
  readonly command: string;
}

/** The page of a study: its claims first, then what each of its parts measured. */
export function reportOf(
  study: Study,
  measured: Measured,
  folder: StudyFolder,
  { size, command }: ReportOptions,
): Report {
  const runs = folder.runs.read();
  const compared = study.comparisons.filter(({ name }) =>
    runs.some(({ comparison }) => comparison === name),
  );
  const gridded = study.grids.filter(({ name }) => folder.trials('grids', name).length > 0);
  return {
    title: study.title,
    subtitle:
      size === 'quick' ? 'A quick run, which is too small to decide what it is about.' : undefined,
    provenance: sources([...runs, ...folder.sources.read(), ...folder.paces.read()], command),
    sections: [
      { kind: 'text', paragraphs: study.about },
      claims(study, measured),
      ...(compared.length > 1 ? [profile(compared, measured)] : []),
      ...compared.flatMap((comparison) => [
        ...comparisonSections(comparison, measured),
        ...selectionSections(comparison, folder),
      ]),
      ...experimentSections(study, measured),
      ...gridded.flatMap((grid) => gridSections(grid, measured, folder.trials('grids', grid.name))),
    ],
  };
}

/** Where runs and trials were made: each machine, version and commit once. */
function sources(made: readonly { readonly provenance: Provenance }[], command: string): Source[] {
  const found = new Map<string, Source>();
  for (const { provenance } of made) {
    const { machine, threads, backend, flatmin, commit, date } = provenance;
    const source = {
      command,
      machine: `${machine}, ${threads === 1 ? '1 thread' : `${threads} threads`}, ${backend}`,
      commit: commit ?? `flatmin ${flatmin}`,
      date: date.slice(0, 10),
    };
    found.set(JSON.stringify(source), source);
  }
  return [...found.values()];
}

const claims = ({ claims }: Study, measured: Measured): Section => ({
  kind: 'claims',
  heading: 'Claims',
  claims: claims.map(({ text, published, source, judge }) => {
    const { decision, because } = judge(measured);
    return { text, published, verdict: decision, because: because.join('; '), source };
  }),
});

/** Of times to the target, each comparison and seed a problem. */
function profile(comparisons: readonly Comparison[], measured: Measured): Section {
  const names = comparisons[0].contenders
    .map(({ name }) => name)
    .filter((name) =>
      comparisons.every(({ contenders }) => contenders.some((other) => other.name === name)),
    );
  const costs = Object.fromEntries(
    names.map((name) => [
      name,
      comparisons.flatMap((comparison) => measured.seconds(comparison.name, name).values),
    ]),
  );
  return {
    kind: 'profile',
    heading: 'Performance profile',
    caption:
      'The share of tasks and seeds whose target a method reached within so many times the seconds of the fastest.',
    series: Object.entries(performanceProfile(costs)).map(([method, points]) => ({
      method,
      points,
    })),
  };
}

/** Each experiment that has parts, and what they took. */
function experimentSections({ experiments = [] }: Study, measured: Measured): Section[] {
  const held = experiments
    .map((experiment) => ({ experiment, parts: measured.parts(experiment) }))
    .filter(({ parts }) => parts.all.length > 0);
  if (held.length === 0) return [];
  return [
    ...held.flatMap(({ experiment, parts }): Section[] => [
      { kind: 'text', heading: experiment.title, paragraphs: [experiment.about] },
      ...experiment.sections(parts),
    ]),
    {
      kind: 'table',
      heading: 'What the experiments took',
      caption: 'Seconds of all parts together, each in a process of its own.',
      columns: [
        { name: 'experiment' },
        { name: 'settings', numeric: true },
        { name: 'parts', numeric: true },
        { name: 'seconds', numeric: true },
      ],
      rows: held.map(({ experiment, parts }) => [
        experiment.title,
        parts.bySetting().length,
        parts.all.length,
        parts.all.reduce((sum, { seconds }) => sum + seconds, 0),
      ]),
    },
  ];
}

const runName = ({ comparison, contender, seed }: Run): string =>
  `${comparison}, ${contender}, seed ${seed}`;

function comparisonSections(comparison: Comparison, measured: Measured): Section[] {
  const { name, title, contenders } = comparison;
  const runs = contenders.flatMap((contender) => measured.of(name, contender.name));
  const target = measured.target(name);
  const curves = (
    y: string,
    of: (epoch: Run['epochs'][number]) => number,
    logY = false,
  ): Section => ({
    kind: 'curves',
    heading: `${title}: ${y}`,
    x: 'epoch',
    y,
    logY,
    ...(y === 'test accuracy' && { target, nearOne: true }),
    series: runs.map((run) => ({
      method: run.contender,
      run: runName(run),
      seed: run.seed,
      points: run.epochs.map((epoch, i): [number, number] => [i + 1, of(epoch)]),
    })),
  });
  const others = [
    ...new Set(runs.flatMap(({ epochs }) => Object.keys(epochs[0]?.metrics ?? {}))),
  ].filter((metric) => metric !== 'accuracy');
  return [
    table(comparison, measured),
    ...byTime(comparison, runs, target),
    curves('test accuracy', ({ metrics }) => metrics.accuracy),
    ...others.map((metric) => curves(`test ${metric}`, ({ metrics }) => metrics[metric])),
    curves('test loss', ({ testLoss }) => testLoss),
    curves('training loss', ({ trainLoss }) => trainLoss, true),
    {
      kind: 'bars',
      heading: `${title}: seconds to ${shown(target)}`,
      caption:
        'Medians over seeds with 95 % intervals; no bar where half of the seeds or more never got there.',
      x: 'training seconds',
      values: contenders.flatMap((contender) =>
        bar(contender, measured.seconds(name, contender.name)),
      ),
    },
    {
      kind: 'bars',
      heading: `${title}: seconds an epoch`,
      x: 'training seconds',
      values: contenders.flatMap((contender) =>
        bar(contender, measured.epochSeconds(name, contender.name)),
      ),
    },
    {
      kind: 'boxes',
      heading: `${title}: final test accuracy`,
      x: 'test accuracy',
      values: runs.map((run) => ({
        method: run.contender,
        run: runName(run),
        value: run.diverged ? 0 : (run.epochs.at(-1)?.metrics.accuracy ?? 0),
      })),
    },
  ];
}

/** Nothing of runs whose pace is not known. */
function byTime({ title }: Comparison, runs: readonly Run[], target: number): Section[] {
  const timed = runs.filter(({ curve }) => curve.some(({ seconds }) => !Number.isNaN(seconds)));
  if (timed.length === 0) return [];
  return [
    {
      kind: 'curves',
      heading: `${title}: test accuracy by training seconds`,
      x: 'training seconds',
      y: 'test accuracy',
      target,
      nearOne: true,
      series: timed.map((run) => ({
        method: run.contender,
        run: runName(run),
        seed: run.seed,
        points: run.curve.map(({ seconds, metrics }): [number, number] => [
          seconds,
          metrics.accuracy,
        ]),
      })),
    },
  ];
}

function bar({ name }: Contender, { values }: Sample): Bar[] {
  if (values.length === 0) return [];
  const { value, low, high } = bootstrap([values], ([own]) => median(own));
  if (!Number.isFinite(value)) return [{ method: name, value: null }];
  return [{ method: name, value, low, ...(Number.isFinite(high) && { high }) }];
}

function table({ name, title, contenders }: Comparison, measured: Measured): Section {
  const target = measured.target(name);
  const baselines = contenders
    .filter(({ baseline }) => baseline)
    .map((contender) => measured.seconds(name, contender.name))
    .filter(({ values }) => values.length > 0);
  const best = baselines.length === 0 ? undefined : leastOf(baselines);
  const rows = contenders
    .map((contender) => ({ contender, runs: measured.of(name, contender.name) }))
    .filter(({ runs }) => runs.length > 0)
    .map(({ contender, runs }) => {
      const final = measured.final(name, contender.name);
      const seconds = measured.seconds(name, contender.name);
      return [
        contender.name,
        runs.length,
        runs.filter(({ diverged }) => diverged).length,
        mean(final.values),
        finite(deviation(final.values)),
        mean(measured.best(name, contender.name).values),
        finite(median(measured.epochs(name, contender.name).values)),
        finite(median(seconds.values)),
        best === undefined || seconds.values.length === 0
          ? null
          : interval(ratioOf(seconds.values, best.values)),
        finite(median(measured.epochSeconds(name, contender.name).values)),
      ];
    });
  return {
    kind: 'table',
    heading: title,
    caption: `Target ${shown(target)}. The published way of choosing is the best epoch by the test data; everything else chose nothing by them. The ratio is to ${best?.name ?? 'no baseline'}.`,
    columns: [
      { name: 'method' },
      { name: 'seeds', numeric: true },
      { name: 'diverged', numeric: true },
      { name: 'final accuracy', numeric: true },
      { name: '± seeds', numeric: true },
      { name: 'best epoch’s accuracy', numeric: true },
      { name: 'epochs to target', numeric: true },
      { name: 'seconds to target', numeric: true },
      { name: '× best baseline' },
      { name: 'seconds an epoch', numeric: true },
    ],
    rows,
  };
}

/** Validation accuracy of every trial of the selection against its learning rate. */
function selectionSections(
  { name, title, contenders }: Comparison,
  folder: StudyFolder,
): Section[] {
  const series = contenders
    .map((contender) => ({
      method: contender.name,
      points: folder
        .trials('selection', name, contender.name)
        .filter(({ values }) => typeof values.lr === 'number')
        .map(({ values, measures }) => ({
          x: values.lr as number,
          y: measures['validation.accuracy'] ?? Number.NaN,
        }))
        .sort((a, b) => a.x - b.x),
    }))
    .filter(({ points }) => points.length > 0);
  if (series.length === 0) return [];
  return [
    {
      kind: 'sensitivity',
      heading: `${title}: selection`,
      caption:
        'Validation accuracy of every trial by its learning rate; the other options vary with it.',
      x: 'learning rate',
      y: 'validation accuracy',
      better: 'high',
      series,
    },
  ];
}

const NAMES: Readonly<Record<string, string>> = { 'betas.0': 'β₁', lr: 'η', weightDecay: 'λ' };
const called = (name: string): string => NAMES[name] ?? name;

function gridSections(
  { name, title }: Grid,
  measured: Measured,
  trials: readonly Finished[],
): Section[] {
  const grid = measured.grid(name);
  const usual = measured.grid(`${name} default`).first();
  const row = (what: string, { values }: Sample) => [what, mean(values), finite(deviation(values))];
  const names = Object.keys(trials[0].values);
  const pairs = names.flatMap((a, i) => names.slice(i + 1).map((b) => [a, b] as const));
  return [
    {
      kind: 'table',
      heading: title,
      caption: `${trials.length} trials; test accuracy, mean and deviation over seeds.`,
      columns: [
        { name: 'point' },
        { name: 'test accuracy', numeric: true },
        { name: '± seeds', numeric: true },
      ],
      rows: [
        row('the default', usual),
        row('best by validation rows', grid.best('validation')),
        row('best by the test data, as published', grid.best('test')),
      ],
    },
    {
      kind: 'table',
      heading: `${title}: what each hyperparameter explains alone`,
      caption: 'Variance of the marginal means over the variance of all trials.',
      columns: [{ name: 'hyperparameter' }, { name: 'share of variance', numeric: true }],
      rows: Object.entries(grid.mainEffects()).map(([key, share]) => [called(key), share]),
    },
    ...pairs.map(
      ([x, y]): Section => ({
        kind: 'heatmap',
        heading: `${title}: ${called(x)} and ${called(y)}`,
        caption: 'Test accuracy, mean over the third and over seeds.',
        x: called(x),
        y: called(y),
        measure: 'test accuracy',
        better: 'high',
        cells: grid.means([x, y]).map(({ values, mean }) => ({
          x: values[x] as number,
          y: values[y] as number,
          value: mean,
        })),
      }),
    ),
  ];
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
const shown = (value: number): string => String(Number(value.toPrecision(4)));

const interval = ({ value, low, high }: Estimate): string => {
  const [v, l, h] = [value, low, high].map((x) =>
    Number.isFinite(x) ? x.toFixed(2) : Number.isNaN(x) ? '–' : x > 0 ? '∞' : '0',
  );
  return `${v} [${l}, ${h}]`;
};
