/** Made-up worlds, in which every claim of every study comes out in each of the three ways. */
import { describe, expect, it } from 'vitest';
import { VERDICTS } from '../../src/report/report.ts';
import type { Experiment } from '../../src/study/experiment.ts';
import { Measured, type Run } from '../../src/study/measured.ts';
import type { Part } from '../../src/study/part.ts';
import { STUDIES } from '../../src/study/studies/index.ts';
import type { Study } from '../../src/study/study.ts';
import { pointsOf, type Range, type Space } from '../../src/sweep/space.ts';
import type { Finished } from '../../src/sweep/trial.ts';

/** Numbers in [0, 1) that are the same every time (Lehmer 1951, Park & Miller 1988). */
function chance(seed: number): () => number {
  let state = seed * 7919 + 1;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

const WORLDS = 1500;
const EPOCHS = 20;
const SEEDS = 4;

/** Methods differ little or much, seeds as well: what claims ask for is then sometimes so, sometimes not, sometimes open. */
function world(study: Study, number: number): Measured {
  const next = chance(number + 1);
  const one = <T>(choices: readonly T[]): T => choices[Math.floor(next() * choices.length)];
  const alike = next() < 0.3;
  const noise = one([0, 0.002, 0.3]);
  const runs = study.comparisons.flatMap((comparison) => {
    const order = comparison.contenders.map(() => next());
    return comparison.contenders.flatMap(({ name }, i): Run[] => {
      const level = alike ? 0.9 : 0.8 + 0.19 * order[i];
      const speed = one([0.1, 1, 4, 8]) * (0.5 + next());
      const cost = one([1, 1, 1.05, 2, 2, 5]);
      const turn = one([3, 5, 7, 9, 30]);
      const slope = one([0.02, 0.003, 0.001]);
      const wild = one([0, 1.5]);
      const jump = one([0, 0.003, 0.2]);
      const fitted = one([0, 0.05, 0.3]);
      return Array.from({ length: SEEDS }, (_, seed) => {
        const off = 1 + noise * (next() - 0.5);
        const rise = slope * (1 + wild * next());
        const fall = jump * (1 + wild * (next() - 0.5));
        const epochs = Array.from({ length: EPOCHS }, (_, e) => ({
          trainLoss: fitted * off + 0.5 / (e + 1) ** 2,
          testLoss: 0.2 + rise * Math.abs(e + 1 - turn * off),
          metrics: {
            accuracy: Math.min(1, level * off * (1 - Math.exp(-(e + 1) / speed)) - fall * (e % 2)),
          },
          seconds: cost * off,
        }));
        const curve = epochs.map(({ testLoss, metrics, seconds }, e) => ({
          step: 100 * (e + 1),
          epoch: (e + 1) * speed * 0.2,
          seconds: (e + 1) * seconds,
          testLoss,
          metrics,
        }));
        return {
          comparison: comparison.name,
          contender: name,
          seed,
          diverged: false,
          epochs,
          curve,
        };
      });
    });
  });
  const targets = Object.fromEntries(study.comparisons.map(({ name }) => [name, 0.85]));
  const grids = study.grids.flatMap((grid): [string, Finished[]][] => {
    const { space } = grid.sizes.quick;
    const wide: Space = Object.fromEntries(
      Object.entries(space).map(([name, range]) => [name, { ...(range as Range), count: 20 }]),
    );
    const published = one([0.678, 0.832, 0.933, 0.937, 0.987, 0.9815, 0.7]);
    const width = one([0, 0.004, 0.02, 0.15]);
    const trials = (points: readonly object[], centre: number) =>
      points.flatMap((values, point) => {
        const height = centre + width * (next() - 0.5);
        return Array.from({ length: SEEDS }, (_, seed): Finished => {
          const accuracy = height + noise * 0.5 * (next() - 0.5);
          const measures = {
            'test.accuracy': accuracy,
            'validation.accuracy': accuracy + one([0, 0.1]) * (next() - 0.5),
          };
          return { point, values: values as never, seed, status: 'done', measures, seconds: 1 };
        });
      });
    // A corner of the grid is enough, with all values of each dimension among its points.
    const points = pointsOf(wide, { random: 150, drawSeed: number });
    return [
      [grid.name, trials([...points, ...pointsOf(space)], published)],
      [`${grid.name} default`, trials([grid.usual], published + one([-0.1, -0.003, 0, 0.05]))],
    ];
  });
  const experiments = (study.experiments ?? []).map((experiment): [string, Part[]] => [
    experiment.name,
    madeUpParts(experiment, next),
  ]);
  return new Measured(runs, targets, Object.fromEntries(grids), Object.fromEntries(experiments));
}

/** Seeds of a setting draw nearly the same numbers, some of them 0 or 1; so do settings in some worlds. */
function madeUpParts({ sizes, madeUp }: Experiment, next: () => number): Part[] {
  const noise = [0, 0.02, 0.6][Math.floor(3 * next())];
  const [wanders, alike] = [next() < 0.5, next() < 0.3];
  const level = () => (next() < 0.2 ? Math.round(next()) : next());
  let levels: number[] = [];
  return sizes.full.settings.flatMap((setting) => {
    if (!alike) levels = [];
    return Array.from({ length: SEEDS }, (_, seed): Part => {
      let drawn = 0;
      const chance = () => {
        levels[drawn] ??= level();
        const value = levels[drawn++] + noise * (next() - (wanders ? 0.5 : 0));
        return Math.min(1, Math.max(0, value));
      };
      return { setting, seed, entries: madeUp(setting, chance), seconds: 1 };
    });
  });
}

describe.each(STUDIES)('claims of $name', (study) => {
  it('are each borne out in some world, not in others, and undecided in yet others', () => {
    const seen = new Map(study.claims.map(({ text }) => [text, new Set<string>()]));
    for (let number = 0; number < WORLDS; number++) {
      const open = study.claims.filter(({ text }) => seen.get(text)?.size !== VERDICTS.length);
      if (open.length === 0) break;
      const measured = world(study, number);
      for (const { text, judge } of open) seen.get(text)?.add(judge(measured).decision);
    }
    const missing = [...seen].map(([text, decisions]) => [
      text,
      VERDICTS.filter((decision) => !decisions.has(decision)),
    ]);
    expect(missing.filter(([, decisions]) => decisions.length > 0)).toEqual([]);
  }, 120_000);
});
