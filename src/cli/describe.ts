import type { Task } from '../tasks/task.ts';
import type { RunSettings } from './settings.ts';

/** What is about to be run: the data, then every method's setting. */
export function describeRuns(task: Task, runs: readonly RunSettings[]): string {
  const { data, examples, testExamples, batch, epochs, schedule, seed, backend } = runs[0];
  const width = Math.max(8, ...runs.map(({ optimizer }) => optimizer.length));
  const methods = runs.map(({ optimizer, lr, weightDecay, rho }) =>
    [
      `  ${optimizer.padEnd(width)}`,
      `lr ${lr}`.padEnd(10),
      `weight decay ${weightDecay}`.padEnd(20),
      ...(rho === undefined ? [] : [`rho ${rho}`]),
    ]
      .join(' ')
      .trimEnd(),
  );
  return [
    `${task.name}: ${task.network} on ${data}, ${number(examples)} training and ${number(testExamples)} test examples`,
    `  batch ${batch}, ${plural(epochs, 'epoch')}, ${schedule} learning rate, seed ${seed}, device ${backend}`,
    ...methods,
  ].join('\n');
}

/** Title of the results. */
export function describeResults(task: Task, runs: readonly RunSettings[]): string {
  const [{ data, examples, testExamples, epochs, backend }] = runs;
  const counts = `${number(examples)} + ${number(testExamples)} examples`;
  return `${task.name}: ${task.network} on ${data} (${counts}), ${plural(epochs, 'epoch')} on ${backend}`;
}

const number = (n: number) => n.toLocaleString('en');
const plural = (n: number, noun: string) => `${n} ${noun}${n === 1 ? '' : 's'}`;
