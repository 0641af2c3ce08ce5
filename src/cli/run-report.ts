import { groupBy } from '../group.ts';
import type { Cell, CurveSeries, Report, Section } from '../report/report.ts';
import { deviation, mean } from '../statistics.ts';
import { METHOD_NAMES } from '../tasks/methods.ts';
import { toJson } from '../train/json-numbers.ts';
import type { KeptRun } from './read-runs.ts';

/** A run with the method that it is a seed of. */
interface Labelled extends KeptRun {
  readonly method: string;
  readonly measures: readonly Measure[];
}

/** How well it did at one moment. */
interface Measure {
  /** Parts of epochs count. */
  readonly epoch: number;
  /** Of training, evaluations apart. */
  readonly seconds: number;
  readonly values: Readonly<Record<string, number | undefined>>;
}

const TEST_LOSS = 'test loss';
const TRAIN_LOSS = 'train loss';

/** Runs compared: those of a task stand together, those that differ in their seeds alone are one method. */
export function runReport(
  runs: readonly KeptRun[],
  provenance: Report['provenance'][number],
): Report {
  const tasks = groupBy(inOrder(runs), ({ settings }) => `${settings.task} on ${settings.data}`);
  const sections = [...tasks].flatMap(([task, own]) =>
    taskSections(task, labelled(own), tasks.size > 1),
  );
  return {
    title: [...tasks.keys()].join(', '),
    subtitle: `${count(runs.length)} run${runs.length === 1 ? '' : 's'} compared by flatmin`,
    provenance: [provenance],
    sections,
  };
}

/** Methods as the command line lists them, so that they look alike from one report to the next. */
const inOrder = (runs: readonly KeptRun[]): KeptRun[] => {
  const place = ({ settings }: KeptRun) => METHOD_NAMES.indexOf(settings.optimizer);
  return runs.toSorted((a, b) => place(a) - place(b) || a.settings.seed - b.settings.seed);
};

function taskSections(task: string, runs: readonly Labelled[], several: boolean): Section[] {
  const of = several ? ` · ${task}` : '';
  const judged = [...new Set(runs.flatMap(({ measures }) => measures.flatMap(namesOf)))];
  const metrics = judged.filter((name) => name !== TEST_LOSS && name !== TRAIN_LOSS);
  const target = runs.find(({ result }) => result !== undefined)?.result?.target;
  const curves = [...metrics, TEST_LOSS, TRAIN_LOSS].filter((name) => judged.includes(name));
  return [
    { kind: 'text', heading: `Runs${of}`, paragraphs: describe(task, runs) },
    methodTable(`Methods${of}`, runs, metrics),
    ...curves.flatMap((name): Section[] =>
      (['epoch', 'seconds'] as const).map((by) => ({
        kind: 'curves',
        heading: `${capital(name)} by ${by}${of}`,
        caption: captionOf(name, by),
        x: by === 'epoch' ? 'epoch' : 'seconds of training',
        y: name,
        ...(name.endsWith('loss')
          ? { logY: true }
          : { nearOne: runs.every((run) => isShare(run, name)) }),
        ...(name === 'accuracy' && target !== undefined && { target }),
        series: runs.map((run) => seriesOf(run, name, by)),
      })),
    ),
    {
      kind: 'bars',
      heading: `Seconds an epoch${of}`,
      caption: 'Training alone, without evaluation.',
      x: 'seconds an epoch',
      values: perMethod(runs).flatMap(([method, own]) => bar(method, own.flatMap(secondsAnEpoch))),
      runs: runs.map(({ name }) => name),
    },
    ...(target === undefined ? [] : toTarget(`Seconds to ${target}${of}`, runs, target)),
    runTable(`Every run${of}`, runs, metrics),
  ];
}

const captionOf = (name: string, by: 'epoch' | 'seconds'): string => {
  const data = name === TRAIN_LOSS ? 'Mean over an epoch’s steps' : 'Of the test data';
  return `${data}${by === 'seconds' ? ', by seconds of training without evaluation' : ''}.`;
};

function describe(task: string, runs: readonly Labelled[]): string[] {
  const [{ settings }] = runs;
  const counts = spanOf(
    runs,
    ({ examples, testExamples }) => `${count(examples)} + ${count(testExamples)}`,
  );
  const seeds = [...new Set(runs.map((run) => run.settings.seed))].sort((a, b) => a - b);
  const origins = [
    ...new Set(
      runs.flatMap(({ settings: { origin } }) =>
        origin === undefined ? [] : [`${origin.machine}, flatmin ${origin.version}`],
      ),
    ),
  ];
  const cut = runs.filter(({ result }) => result === undefined).length;
  return [
    `${task}: ${counts} training and test examples${settings.synthetic ? ', generated' : ''}; batch ${spanOf(runs, ({ batch }) => batch)}; ${spanOf(runs, ({ epochs }) => epochs)} epochs; ${spanOf(runs, ({ schedule }) => schedule)} learning rate; ${spanOf(runs, ({ backend }) => backend)}; ${seeds.length === 1 ? 'seed' : 'seeds'} ${seeds.join(', ')}.`,
    ...origins.map((origin) => `Trained on ${origin}.`),
    ...(cut === 0
      ? []
      : [
          `${cut} of ${runs.length} runs did not come to their end; they count as far as they went.`,
        ]),
  ];
}

const spanOf = (
  runs: readonly Labelled[],
  pick: (settings: KeptRun['settings']) => string | number,
) => [...new Set(runs.map(({ settings }) => pick(settings)))].join(' or ');

/** Runs of one method, as far as names tell: where settings differ beyond the seed they are part of its name. */
function labelled(runs: readonly KeptRun[]): Labelled[] {
  const flats = runs.map(({ settings }) => settingsOf(settings));
  return runs.map((run, i) => {
    const { optimizer } = run.settings;
    const others = flats.filter((_, k) => runs[k].settings.optimizer === optimizer);
    const differing = Object.keys(flats[i]).filter((name) =>
      others.some((other) => (other[name] ?? flats[i][name]) !== flats[i][name]),
    );
    const words = differing.map((name) => `${name} ${flats[i][name]}`);
    return { ...run, method: [optimizer, ...words].join(' '), measures: measuresOf(run) };
  });
}

/** All that distinguishes methods, as text: neither the seed nor what was said of the data. */
function settingsOf({ settings, ...run }: KeptRun['settings']): Record<string, string> {
  const { lr, weightDecay, rho, schedule, batch, epochs, examples, backend } = run;
  const { width, augment } = run;
  const own = { lr, weightDecay, rho, schedule, batch, epochs, examples, backend, width, augment };
  const all = Object.entries({ ...settings, ...own }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    all.map(([name, value]) => [name, typeof value === 'string' ? value : toJson(value)]),
  );
}

/** What evaluations after steps and after epochs found. */
function measuresOf({ settings, epochs, evaluations }: KeptRun): Measure[] {
  const steps = Math.ceil(settings.examples / settings.batch);
  const within = evaluations.map(
    (each): Measure => ({
      epoch: each.step / steps,
      seconds: each.seconds,
      values: { ...judgements(each), [TEST_LOSS]: each.testLoss },
    }),
  );
  let seconds = 0;
  const after = epochs.map((each): Measure => {
    seconds += each.epochSeconds;
    const losses = { [TEST_LOSS]: each.testLoss, [TRAIN_LOSS]: each.trainLoss };
    return { epoch: each.epoch, seconds, values: { ...judgements(each), ...losses } };
  });
  return [...within, ...after].sort((a, b) => a.epoch - b.epoch);
}

const judgements = ({
  metrics,
  testAccuracy,
}: Pick<KeptRun['epochs'][number], 'metrics' | 'testAccuracy'>) => ({
  ...(testAccuracy !== undefined && { accuracy: testAccuracy }),
  ...metrics,
});

const namesOf = ({ values }: Measure): string[] =>
  Object.keys(values).filter((name) => values[name] !== undefined);

function seriesOf(run: Labelled, name: string, by: 'epoch' | 'seconds'): CurveSeries {
  const points = run.measures.flatMap((measure): [number, number][] => {
    const value = measure.values[name];
    return value === undefined ? [] : [[measure[by], value]];
  });
  return { method: run.method, run: run.name, seed: run.settings.seed, points };
}

/** Of metrics such as accuracy and F1. */
const isShare = ({ measures }: Labelled, name: string): boolean =>
  measures.every(({ values }) => (values[name] ?? 0) >= 0 && (values[name] ?? 0) <= 1);

const perMethod = (runs: readonly Labelled[]) => [...groupBy(runs, ({ method }) => method)];

const secondsAnEpoch = ({ epochs }: KeptRun): number[] =>
  epochs.length === 0
    ? []
    : [epochs.reduce((sum, { epochSeconds }) => sum + epochSeconds, 0) / epochs.length];

/** The mean of runs, from the lowest to the highest of them. */
function bar(method: string, values: readonly number[]) {
  if (values.length === 0) return [];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return [{ method, value: mean(values), ...(values.length > 1 && { low, high }) }];
}

function toTarget(heading: string, runs: readonly Labelled[], target: number): Section[] {
  const values = perMethod(runs).map(([method, own]) => {
    const reached = own.flatMap(
      ({ measures }) =>
        measures.find(({ values }) => (values.accuracy ?? 0) >= target)?.seconds ?? [],
    );
    // A mean over those that reached it alone would flatter.
    return reached.length < own.length ? { method, value: null } : bar(method, reached)[0];
  });
  if (values.every(({ value }) => value === null)) return [];
  return [
    {
      kind: 'bars',
      heading,
      caption: `Training until the test accuracy is first at least ${target}; only methods of which every run got there.`,
      x: 'seconds',
      values,
      runs: runs.map(({ name }) => name),
    },
  ];
}

function methodTable(
  heading: string,
  runs: readonly Labelled[],
  metrics: readonly string[],
): Section {
  const measured = [...metrics, TEST_LOSS, TRAIN_LOSS];
  const repeated = perMethod(runs).some(([, own]) => own.length > 1);
  return {
    kind: 'table',
    heading,
    caption: repeated
      ? 'Means over seeds after the last epoch, ± standard deviation.'
      : 'After the last epoch.',
    columns: [
      { name: 'method' },
      { name: 'runs', numeric: true },
      ...measured.flatMap((name) =>
        [name, ...(repeated ? ['±'] : [])].map((each) => ({ name: each, numeric: true })),
      ),
      { name: 'seconds an epoch', numeric: true },
    ],
    rows: perMethod(runs).map(([method, own]) => [
      method,
      own.length,
      ...measured.flatMap((name) => {
        const values = own.flatMap((run) => lastOf(run, name) ?? []);
        return [meanOrNull(values), ...(repeated ? [deviationOrNull(values)] : [])];
      }),
      meanOrNull(own.flatMap(secondsAnEpoch)),
    ]),
  };
}

function runTable(heading: string, runs: readonly Labelled[], metrics: readonly string[]): Section {
  const measured = [...metrics, TEST_LOSS, TRAIN_LOSS];
  return {
    kind: 'table',
    heading,
    columns: [
      { name: 'run' },
      { name: 'method' },
      { name: 'seed', numeric: true },
      { name: 'epochs', numeric: true },
      ...measured.map((name) => ({ name, numeric: true })),
      { name: 'seconds', numeric: true },
      { name: 'state' },
      { name: 'command' },
    ],
    rows: runs.map((run): Cell[] => [
      run.name,
      run.method,
      run.settings.seed,
      run.epochs.length,
      ...measured.map((name) => lastOf(run, name) ?? null),
      run.epochs.reduce((sum, { epochSeconds }) => sum + epochSeconds, 0),
      stateOf(run),
      commandOf(run),
    ]),
  };
}

const lastOf = ({ measures }: Labelled, name: string): number | undefined =>
  measures.findLast(({ values }) => values[name] !== undefined)?.values[name];

function stateOf({ epochs, settings, result }: KeptRun): string {
  const diverged = epochs.some(
    ({ trainLoss, testLoss }) => Number.isNaN(trainLoss) || Number.isNaN(testLoss),
  );
  if (diverged) return 'diverged';
  return result === undefined
    ? `stopped after ${epochs.length} of ${settings.epochs} epochs`
    : 'finished';
}

/** What trained it; where it does not say, what trains it again by its settings. */
function commandOf({ settings }: KeptRun): string {
  if (settings.origin !== undefined) return settings.origin.command;
  const { task, optimizer, epochs, batch, schedule, seed, synthetic, examples } = settings;
  const own = Object.entries(
    settings.settings ?? { lr: settings.lr, weightDecay: settings.weightDecay },
  );
  return [
    `flatmin train ${task} --optimizer ${optimizer} --epochs ${epochs} --batch ${batch} --examples ${examples}`,
    ...(schedule === 'constant' ? [] : [`--schedule ${schedule}`]),
    ...(synthetic ? ['--synthetic'] : []),
    `--seed ${seed}`,
    ...own.flatMap(([name, value]) => flagsOf(name, value)),
  ].join(' ');
}

function flagsOf(name: string, value: unknown): string[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return [`--set ${name}=${value.join(',')}`];
  if (typeof value === 'object') {
    return Object.entries(value).flatMap(([inner, each]) => flagsOf(`${name}.${inner}`, each));
  }
  return [`--set ${name}=${value}`];
}

const meanOrNull = (values: readonly number[]) => (values.length === 0 ? null : mean(values));

const deviationOrNull = (values: readonly number[]) =>
  values.length < 2 ? null : deviation(values);

const count = (n: number): string => n.toLocaleString('en');

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
