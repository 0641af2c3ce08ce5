import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { baselineOf } from '../../src/tasks/baseline.ts';
import { entities } from '../../src/tasks/entities.ts';

const data = process.env.FLATMIN_DATA ?? '';
const there = existsSync(join(data, 'wikineural'));
const why = there ? '' : ', skipped: FLATMIN_DATA names no folder with wikineural';

describe.skipIf(!there)(`entities${why}`, () => {
  it('are those of WikiNEuRal, which stands in for CoNLL-2003', () => {
    const problem = entities.load({ dir: data, validation: true });
    const { train, test } = problem.data;
    expect([train.count, test.count, problem.final?.count]).toEqual([15_000, 1500, 3500]);
    expect(train).toMatchObject({ name: 'wikineural', synthetic: false, classes: 9 });
    expect(problem.classes.slice(0, 3)).toEqual(['O', 'B-LOC', 'B-MISC']);
    const [held, final] = [problem, { ...problem, data: { train, test: problem.final ?? test } }];
    expect(baselineOf(held).answer).toBe('O');
    expect(baselineOf(held).metrics.accuracy).toBeCloseTo(0.8799, 4);
    expect(baselineOf(final).metrics.accuracy).toBeCloseTo(0.8738, 4);
  });

  it('are those of a folder that is named itself', () => {
    const { data: wnut } = entities.load({ dir: join(data, 'wnut17'), examples: 20 });
    expect(wnut.train).toMatchObject({ name: 'wnut17', count: 20, classes: 13 });
    expect(wnut.test.count).toBe(1287);
  });
});

describe('entities in files of CoNLL-2003', () => {
  const dir = mkdtempSync(join(tmpdir(), 'flatmin-entities-'));
  afterAll(() => rmSync(dir, { recursive: true }));
  const put = (name: string, text: string) => writeFileSync(join(dir, name), text);

  it('are found by the names that these have', () => {
    expect(entities.isIn(dir)).toBe(false);
    put(
      'eng.train',
      '-DOCSTART- -X- O O\n\nAda NNP I-NP I-PER\nslept VBD O O\n\nAda NNP O I-PER\n',
    );
    expect(entities.isIn(dir)).toBe(true);
    expect(() => entities.load({ dir })).toThrow(/wnut17: .* looked for test\.conll/);
    put('eng.testb', 'Eve NNP O I-PER\n');
    const { data, classes } = entities.load({ dir });
    expect(classes).toEqual(['O', 'B-PER']);
    // Ada is known, the others are of the shapes x and Xx.
    expect([...data.train.inputs.data]).toEqual([8, 2, 8, -1]);
    expect([...data.train.labels]).toEqual([1, 0, 1, -1]);
    expect([...data.test.inputs.data]).toEqual([0]);
  });

  it('have no tags but those of the training data', () => {
    put('eng.testb', 'Eve NNP O I-PER\n\nin IN O O\nOslo NNP O I-LOC\n');
    expect(() => entities.load({ dir })).toThrow(
      /sentence 2, word 2: the tag B-LOC is not among those of the training data, O, B-PER$/,
    );
    expect(() => entities.load({ dir, examples: 3 })).toThrow(
      /3 examples were asked for, and .* has 2/,
    );
  });
});
