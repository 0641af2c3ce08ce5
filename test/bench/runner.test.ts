import { describe, expect, test } from 'vitest';
import { digitsOf } from '../../bench/digits.ts';
import { memoryOf } from '../../bench/memory.ts';
import { runSuite, spread } from '../../bench/runner.ts';
import { meanStep } from '../../bench/steady.ts';
import type { Comparison, Subject, Suite } from '../../bench/suite.ts';
import { SUITES, WORKS } from '../../bench/suites/index.ts';
import { comparisonTable, showSeconds } from '../../bench/table.ts';
import { flatten, linear, sequential, sgd, shampoo } from '../../src/index.ts';
import { Training } from '../../src/train/training.ts';

const printing = (name: string, text: string): Subject => ({
  name,
  command: [process.execPath, '-e', `console.log(${JSON.stringify(text)})`],
});
const taking = (name: string, seconds: number): Subject =>
  printing(name, JSON.stringify({ seconds, measured: '1 of 2 steps' }));

const suiteOf = (comparison: Omit<Comparison, 'name'>): Suite => ({
  name: 'tiny',
  title: 'Tiny',
  rounds: 2,
  comparisons: [{ name: 'sleep', ...comparison }],
});

const MIB = 2 ** 20;

const SUBJECTS = [taking('slow', 0.5), taking('fast', 0.125)];

describe('runSuite', () => {
  test('times every subject in every round and gives the baseline by the others as speed-up', async () => {
    const amount = { giga: 2, unit: 'FLOP' } as const;
    const [result] = await runSuite(suiteOf({ subjects: SUBJECTS, ratio: 'speedup', amount }));
    expect(JSON.parse(JSON.stringify(result))).toEqual({
      name: 'sleep',
      ratio: 'speedup',
      subjects: [
        {
          subject: 'slow',
          rounds: [0.5, 0.5],
          seconds: { median: 0.5, min: 0.5, max: 0.5 },
          rate: { giga: 4, unit: 'GFLOP/s' },
          measured: '1 of 2 steps',
        },
        {
          subject: 'fast',
          rounds: [0.125, 0.125],
          seconds: { median: 0.125, min: 0.125, max: 0.125 },
          ratio: { median: 4, min: 4, max: 4 },
          rate: { giga: 16, unit: 'GFLOP/s' },
          measured: '1 of 2 steps',
        },
      ],
    });
  });

  test('gives the others by the baseline as cost', async () => {
    const [result] = await runSuite(suiteOf({ subjects: SUBJECTS, ratio: 'cost' }), { rounds: 1 });
    expect(result.subjects[1].ratio?.median).toBe(0.25);
    expect(result.subjects[1].rounds).toHaveLength(1);
  });

  test('refuses a subject that prints no time', async () => {
    const subjects = [printing('broken', '{"seconds":null}')];
    await expect(runSuite(suiteOf({ subjects, ratio: 'cost' }))).rejects.toThrow(
      'Subject "broken" must print {"seconds": a positive number}, printed {"seconds":null}',
    );
  });
});

test('the median of an even number of rounds lies between the middle two', () => {
  expect(spread([4, 1, 3, 2])).toEqual({ median: 2.5, min: 1, max: 4 });
  expect(spread([3, 1, 2]).median).toBe(2);
});

test('times have three significant digits', () => {
  expect([12.345, 1.5, 0.0123, 0.000345, 4.2e-7].map(showSeconds)).toEqual([
    '12.3 s',
    '1.50 s',
    '12.3 ms',
    '345 µs',
    '0.420 µs',
  ]);
});

test('the table has a line for every subject', async () => {
  const results = await runSuite(suiteOf({ subjects: SUBJECTS, ratio: 'speedup' }));
  expect(comparisonTable(results)).toMatchInlineSnapshot(`
    "work   subject    time  rate          ratio     spread
    sleep  slow     500 ms                                  (1 of 2 steps)
           fast     125 ms        4.00× as fast  4.00–4.00  (1 of 2 steps)"
  `);
});

test('the table says what a subject took of memory', async () => {
  const memory = { arena: 0.5 * MIB, unshared: 2.25 * MIB, stored: 12 * MIB, peak: 1234 * MIB };
  const subject = printing('cpu', JSON.stringify({ seconds: 1, memory }));
  const results = await runSuite(suiteOf({ subjects: [subject], ratio: 'cost' }));
  expect(comparisonTable(results)).toMatchInlineSnapshot(`
    "work   subject    time  rate  ratio  spread
    sleep  cpu      1.00 s                       (temporaries 0.500 MiB, 2.25 MiB without reuse; stored 12.0 MiB; process 1234 MiB)"
  `);
});

describe('suites', () => {
  test('every flatmin subject names a work that exists', () => {
    for (const { name, comparisons } of SUITES) {
      for (const { subjects } of comparisons) {
        const ours = subjects.filter(({ command }) => command[1].endsWith('perform.js'));
        expect(ours).not.toHaveLength(0);
        for (const { command } of ours) expect(WORKS[name]).toHaveProperty([command[3]]);
      }
    }
  });

  test('a training tells what it takes of memory', async () => {
    const train = digitsOf(200);
    const target = { device: 'js', threads: 1 } as const;
    const model = sequential(flatten(), linear(10));
    const { memory } = await memoryOf(model, train, sgd({ lr: 0.1 }), target);
    // Images and their labels, two epochs' orders at most, weights; a step's temporaries begin with the batch's images.
    const data = 200 * (32 * 32 + 1);
    expect(memory?.stored).toBeGreaterThan(data + 4 * 10 * 1025);
    expect(memory?.stored).toBeLessThan(data + 4 * (10 * 1025 + 300));
    expect(memory?.arena).toBeGreaterThan(4 * 100 * 1024);
    expect(memory?.unshared).toBeGreaterThan(memory?.arena ?? Number.NaN);
    expect(memory?.peak).toBeGreaterThan(memory?.unshared ?? Number.NaN);
  });

  test('a kernel can be timed on the fallback', async () => {
    const { seconds } = await WORKS.kernels['crossEntropy 100×10 and gradient']({
      device: 'js',
      threads: 1,
    });
    expect(seconds).toBeGreaterThan(0);
  });
});

test('a mean step weighs each kind of step by its share', () => {
  const optimizer = shampoo({ lr: 0.1, blockSize: 16, statisticsEvery: 20, rootsEvery: 50 });
  const batch = 10;
  const options = { optimizer, batch, device: 'js' } as const;
  const train = digitsOf(batch);
  const { seconds, measured } = meanStep(
    new Training(
      sequential(flatten(), linear(2)),
      { train: { ...train, classes: 2, labels: train.labels?.map(() => 0) } },
      options,
    ),
  );
  expect(seconds).toBeGreaterThan(0);
  // Statistics every 20 steps, in some of which roots are due.
  expect(measured).toMatch(/^processor time .*; most steps .*; [1-5] of 100 .*; first /);
});
