import type { Task } from '../tasks/task.ts';
import type { RunSettings } from './settings.ts';

/** What is about to be run: the data, then every method's setting. */
export function describeRuns(task: Task, runs: readonly RunSettings[]): string {
  const { epochs, schedule, seed } = runs[0];
  const methods = runs.map(({ optimizer, lr, weightDecay, rho }) =>
    [
      `  ${optimizer.padEnd(8)}`,
      `lr ${lr}`.padEnd(10),
      `weight decay ${weightDecay}`.padEnd(20),
      ...(rho === undefined ? [] : [`rho ${rho}`]),
    ]
      .join(' ')
      .trimEnd(),
  );
  return [
    describeData(task, runs),
    `  batch ${runs[0].batch}, ${plural(epochs, 'epoch')}, ${schedule} learning rate, seed ${seed}, device ${runs[0].backend}`,
    ...methods,
  ].join('\n');
}

/** Title of the results. */
export function describeResults(task: Task, runs: readonly RunSettings[]): string {
  const [{ epochs, backend }] = runs;
  return `${describeData(task, runs)}; ${plural(epochs, 'epoch')} on ${backend}`;
}

function describeData(task: Task, [{ data, examples, testExamples }]: readonly RunSettings[]) {
  const [train, test] = [examples, testExamples].map((n) => n.toLocaleString('en'));
  return `${task.name}: ${task.network} on ${data}, ${train} training and ${test} test examples`;
}

const plural = (n: number, noun: string) => `${n} ${noun}${n === 1 ? '' : 's'}`;
