import type { Moment } from '#flatmin/graph/moment';
import type { Training } from '#flatmin/train/training';
import { memoryUsed } from './memory.ts';
import { spread } from './runner.ts';
import type { Sample } from './suite.ts';
import { showSeconds } from './table.ts';

/** Steps by which everything that is made anew stands its whole period apart, a multiple of every period. */
const PERIOD = 100;
const BEGIN = 1000 * PERIOD + 1;
/** Timed of every kind. */
const TIMED = 4;

const moment = (step: number): Moment => ({ step, epoch: 0, seed: 0, offset: 0 });

/**
 * The mean step of a training that has gone on for long: statistics, roots and bases at their intervals. Each kind of step
 * is timed by itself and weighs what its share of a period is; the first steps, in which much is made anew, are left out.
 */
export function meanStep(training: Training): Sample {
  const [{ program }] = training.steps.values();
  const { slots, sections } = program.compiled.graph;
  const steps = Array.from({ length: PERIOD }, (_, i) => BEGIN + i);
  const switches = slots.filter((slot) => new Set(steps.map((s) => slot.at(moment(s)))).size === 2);
  const kindOf = (step: number) =>
    [...switches.map((slot) => slot.at(moment(step))), ...sections.map((s) => s.due(step))].join();
  const kinds = new Map<string, number[]>();
  for (const step of steps) kinds.set(kindOf(step), [...(kinds.get(kindOf(step)) ?? []), step]);

  const run = (step: number): { seconds: number; processor: number } => {
    const before = process.cpuUsage();
    const started = performance.now();
    const { stopped } = program.runSync([moment(step)]);
    const seconds = (performance.now() - started) / 1000;
    if (stopped) throw new Error('The status block stopped the run, so nothing was timed');
    const { user, system } = process.cpuUsage(before);
    return { seconds, processor: (user + system) / 1e6 };
  };
  const first = run(1);
  run(2);
  const found = [...kinds.values()]
    .toSorted((a, b) => b.length - a.length)
    .map((those) => {
      const timed = Array.from({ length: TIMED }, () => run(those[0]));
      return {
        count: those.length,
        seconds: spread(timed.map(({ seconds }) => seconds)).median,
        processor: spread(timed.map(({ processor }) => processor)).median,
      };
    });
  const mean = (of: (kind: (typeof found)[number]) => number) =>
    found.reduce((sum, kind) => sum + (of(kind) * kind.count) / PERIOD, 0);
  const others = found.slice(1).map((k) => `${k.count} of ${PERIOD} ${showSeconds(k.seconds)}`);
  const said = [
    `processor time ${showSeconds(mean(({ processor }) => processor))}`,
    ...(others.length === 0 ? [] : [`most steps ${showSeconds(found[0].seconds)}`, ...others]),
    `first ${showSeconds(first.seconds)}`,
  ];
  return {
    seconds: mean(({ seconds }) => seconds),
    measured: said.join('; '),
    memory: memoryUsed(training),
  };
}
