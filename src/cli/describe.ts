import { variantOf } from '../tasks/methods.ts';
import type { Task } from '../tasks/task.ts';
import { toJson } from '../train/json-numbers.ts';
import type { RunSettings } from './settings.ts';

/** What is about to be run: the data, then every method's setting. */
export function describeRuns(task: Task, runs: readonly RunSettings[]): string {
  const { data, examples, testExamples, validation, batch, epochs, schedule, seed, backend } =
    runs[0];
  const width = Math.max(8, ...runs.map(({ optimizer }) => optimizer.length));
  const methods = runs.map((run) => {
    const { optimizer, lr, weightDecay, rho } = run;
    return [
      `  ${optimizer.padEnd(width)}`,
      `lr ${lr}`.padEnd(10),
      `weight decay ${weightDecay}`.padEnd(20),
      ...(rho === undefined ? [] : [`rho ${rho}`]),
      ...unusual(run),
    ]
      .join(' ')
      .trimEnd();
  });
  return [
    `${task.name}: ${task.network} on ${data}, ${number(examples)} training and ${number(testExamples)} ${validation ? 'validation' : 'test'} examples`,
    `  ${shape(runs[0])}batch ${batch}, ${plural(epochs, 'epoch')}, ${schedule} learning rate, seed ${seed}, device ${backend}`,
    ...methods,
  ].join('\n');
}

/** What a task leaves to choose. */
const shape = ({ width, augment }: RunSettings): string =>
  `${width === undefined ? '' : `width ${width}, `}${augment ? 'augmented, ' : ''}`;

/** Options beside those that are said of every method that differ from the method's usual ones. */
function unusual({ optimizer, rho, settings }: RunSettings): string[] {
  const shown = ['lr', 'weightDecay', ...(rho === undefined ? [] : ['rho'])];
  const usual = variantOf(optimizer).settings();
  return Object.keys(settings)
    .filter((name) => !shown.includes(name))
    .filter((name) => toJson(settings[name]) !== toJson(usual[name]))
    .map((name) => `${name} ${toJson(settings[name])}`);
}

/** Title of the results. */
export function describeResults(task: Task, runs: readonly RunSettings[]): string {
  const [{ data, examples, testExamples, epochs, backend }] = runs;
  const counts = `${number(examples)} + ${number(testExamples)} examples`;
  return `${task.name}: ${task.network} on ${data} (${counts}), ${plural(epochs, 'epoch')} on ${backend}`;
}

const number = (n: number) => n.toLocaleString('en');
const plural = (n: number, noun: string) => `${n} ${noun}${n === 1 ? '' : 's'}`;
