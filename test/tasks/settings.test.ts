/** A setting for every optimizer on every task. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fit } from '../../src/index.ts';
import { baselineOf } from '../../src/tasks/baseline.ts';
import {
  METHOD_NAMES,
  type MethodName,
  makeOptimizer,
  variantOf,
} from '../../src/tasks/methods.ts';
import { TASKS } from '../../src/tasks/tasks.ts';

const kept = JSON.parse(
  readFileSync(new URL('../../docs/results/settings.json', import.meta.url), 'utf8'),
) as Record<string, Record<string, { command: string; best?: { values: object } }>>;

describe.each(TASKS)('settings of $name', ({ name, settings }) => {
  it('are options that the methods have', () => {
    for (const method of METHOD_NAMES) variantOf(method).settings(settings[method] ?? {});
  });

  it('are what was published, or the best of a recorded sweep', () => {
    for (const [method, { command, best }] of Object.entries(kept[name])) {
      expect(command).toMatch(new RegExp(`^flatmin sweep ${name} --optimizer ${method} `));
      if (best === undefined) continue;
      expect(settings[method as MethodName], method).toMatchObject(best.values);
    }
  });
});

it.each(['titanic', 'spambase', 'mushroom', 'digits'])('every method was swept on %s', (name) => {
  expect(Object.keys(kept[name]).sort()).toEqual([...METHOD_NAMES].sort());
});

/** The real table where it is at hand, else the generated one. */
const { FLATMIN_DATA = '' } = process.env;
const dir = existsSync(join(FLATMIN_DATA, 'tabular')) ? FLATMIN_DATA : undefined;
const titanic = TASKS.filter(({ name }) => name === 'titanic');
const which = dir === undefined ? 'generated' : 'real';

describe.each(titanic)(`$name, ${which}`, ({ load, settings, batch, epochs }) => {
  const problem = load({ dir, validation: true });
  const { accuracy } = baselineOf(problem).metrics;

  it.each(METHOD_NAMES)('is learnt by %s at its setting', async (method) => {
    const { history } = await fit(problem.model, problem.data, {
      optimizer: makeOptimizer(method, settings[method] ?? {}),
      batch,
      epochs,
      evaluateEvery: { epochs },
    });
    expect(history[epochs - 1].testAccuracy).toBeGreaterThan(accuracy + 0.1);
  });
});
