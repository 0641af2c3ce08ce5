import { type Case, type Traced, traceForward, traceGradient } from './harness.ts';

const SMALL = 700;

/**
 * Two cases of every op and set of dtypes, for what takes a hundred times as long: the smallest that is not empty, and
 * the largest of the small ones, whose loops turn more than once.
 */
export function shortList(cases: readonly Case[]): Case[] {
  const sizeOf = (c: Case): number => c.inputs.reduce((n, { data }) => n + data.length, 0);
  const kindOf = ({ op, inputs }: Case): string =>
    [op, ...new Set(inputs.map(({ dtype }) => dtype))].join();
  const byKind = new Map<string, Case[]>();
  for (const c of cases) {
    if (sizeOf(c) > 0) byKind.set(kindOf(c), [...(byKind.get(kindOf(c)) ?? []), c]);
  }
  return [...byKind.values()].flatMap((own) => {
    const [smallest, ...others] = own.sort((a, b) => sizeOf(a) - sizeOf(b));
    return [smallest, ...others.filter((c) => sizeOf(c) <= SMALL).slice(-1)];
  });
}

/** The programs of a case that run by CUDA kernels: its outputs, and its gradients. */
export const onCuda = (c: Case): Traced[] => [
  traceForward(c),
  ...(c.gradient === undefined ? [] : [traceGradient(c)]),
];
