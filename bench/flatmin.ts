import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Subject, Target } from './suite.ts';

export const cores = availableParallelism();

export const JS: Target = { device: 'js', threads: 1 };

/** The native backend on one thread and on every core. */
export const CPU: readonly Target[] = [...new Set([1, cores])].map((threads) => ({
  device: 'cpu',
  threads,
}));

export const describeTarget = ({ device, threads }: Target): string =>
  device === 'js' ? 'js' : `cpu, ${threads} thread${threads === 1 ? '' : 's'}`;

/** flatmin itself at a piece of work of a suite. */
export const flatmin = (
  suite: string,
  work: string,
  target: Target,
  name = describeTarget(target),
): Subject => ({
  name,
  command: [
    process.execPath,
    fileURLToPath(new URL('./perform.js', import.meta.url)),
    suite,
    work,
    target.device,
    String(target.threads),
  ],
});
