import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { baselineOf } from '../../src/tasks/baseline.ts';
import { mushroom, spambase, titanic } from '../../src/tasks/tables.ts';

const dir = process.env.FLATMIN_DATA ?? '';
const there = existsSync(join(dir, 'tabular'));
const why = there ? '' : ', skipped: FLATMIN_DATA names no folder with tabular';

describe.skipIf(!there)(`tables${why}`, () => {
  it.each([
    [titanic, 571, 143, 13, 89 / 143],
    [spambase, 3680, 921, 57, undefined],
    [mushroom, 6499, 1625, 117, undefined],
  ] as const)('%# hold out a fifth, as in the study', (task, train, test, features, always) => {
    expect(task.isIn(dir)).toBe(true);
    const problem = task.load({ dir });
    const { data, classes } = problem;
    expect(data.train).toMatchObject({ name: task.name, synthetic: false, count: train });
    expect(data.test.count).toBe(test);
    expect(data.train.inputs.shape).toEqual([features]);
    expect(classes).toHaveLength(2);
    const { accuracy } = baselineOf(problem).metrics;
    if (always !== undefined) expect(accuracy).toBe(always);
    expect(accuracy).toBeGreaterThan(0.49);
  });

  it('are standardised on training rows alone', () => {
    const { train } = spambase.load({ dir }).data;
    const { data, shape } = train.inputs;
    const column = Array.from({ length: train.count }, (_, i) => data[i * shape[0] + 56]);
    const mean = column.reduce((sum, x) => sum + x, 0) / train.count;
    const square = column.reduce((sum, x) => sum + x * x, 0) / train.count;
    expect(mean).toBeCloseTo(0, 5);
    expect(square).toBeCloseTo(1, 5);
  });

  it('are validated on rows of the training part, the test rows never among them', () => {
    const whole = titanic.load({ dir }).data;
    const { data: held, final } = titanic.load({ dir, validation: true });
    expect([held.train.count, held.test.count]).toEqual([428, 143]);
    expect(held.train.count + held.test.count).toBe(whole.train.count);
    expect(held.test.labels).not.toEqual(whole.test.labels);
    expect(final?.labels).toEqual(whole.test.labels);
  });
});

it('titanic leaves out passengers of unknown age', () => {
  const { data } = titanic.load({ examples: 10, testExamples: 5, width: 3 });
  expect([data.train.count, data.test.count]).toEqual([10, 5]);
});
