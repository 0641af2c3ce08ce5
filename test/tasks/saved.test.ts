/** Models that a task trained, saved, loaded, and given raw inputs in files. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { syntheticSentences } from '../../src/data/synthetic-sentences.ts';
import { syntheticTable } from '../../src/data/synthetic-tables.ts';
import { adamw, fit, loadModel, syntheticDigits } from '../../src/index.ts';
import { digits } from '../../src/tasks/digits.ts';
import { entities } from '../../src/tasks/entities.ts';
import { images } from '../../src/tasks/images.ts';
import { metadataOf, readerOf } from '../../src/tasks/saved.ts';
import { mushroom, spambase, titanic } from '../../src/tasks/tables.ts';
import type { Answer, DataSource, Task } from '../../src/tasks/task.ts';
import { idx } from '../data/idx-bytes.ts';

const dir = mkdtempSync(join(tmpdir(), 'flatmin-saved-'));
afterAll(() => rmSync(dir, { recursive: true }));

/** What a task's model, trained a little, saved and loaded, answers to the text or bytes of a file. */
async function trained(task: Task, source: DataSource) {
  const problem = task.load(source);
  const { data, loss } = problem;
  const { model } = await fit(problem.model, data, {
    optimizer: adamw({ lr: 0.003 }),
    loss,
    epochs: 3,
    batch: 16,
    evaluateEvery: { epochs: 3 },
  });
  const path = join(dir, `${task.name}.safetensors`);
  model.save(path, { metadata: metadataOf(task, problem) });
  const answer = (name: string, content: string | Uint8Array): Answer[] => {
    writeFileSync(join(dir, name), content);
    const { reader } = readerOf(path);
    const { inputs, answers } = reader.read(join(dir, name));
    return answers(loadModel(reader.model, path).predict(inputs));
  };
  return { problem, model, answer, path };
}

const answersOf = (answers: readonly Answer[]) =>
  answers.map((answer) => ('answer' in answer ? answer.answer : answer.tags));

describe('a saved model', () => {
  it('of titanic takes raw rows, with what is missing and without what is asked for', async () => {
    const { answer } = await trained(titanic, {});
    const { columns, rows } = syntheticTable('titanic');
    const some = rows.slice(0, 300);
    const quoted = (row: readonly (string | null)[]) => row.map((x) => `"${x}"`).join(',');
    const whole = answer('whole.csv', [columns.join(','), ...some.map(quoted)].join('\n'));
    const right = answersOf(whole).filter((x, i) => x === some[i][1]);
    expect(right.length).toBeGreaterThan(200);
    for (const one of whole) expect('probability' in one && one.probability).toBeGreaterThan(0.5);
    const needed = ['Sex', 'Age', 'Pclass', 'SibSp', 'Parch', 'Fare', 'Embarked'];
    const narrow = some.map((row) => needed.map((name) => row[columns.indexOf(name)]).join(','));
    expect(answer('narrow.csv', [needed.join(','), ...narrow].join('\n'))).toEqual(whole);
    expect(answer('one.csv', `${needed.join(',')}\nmale,,3,0,0,,Q\n`)).toHaveLength(1);
    expect(() => answer('bad.csv', 'Sex,Age\nmale,3\n')).toThrow(/has no column "Pclass"/);
  });

  it.each([spambase, mushroom])('of $name takes rows without names', async (task) => {
    const { answer } = await trained(task, { examples: 200, testExamples: 10 });
    const { columns, rows } = syntheticTable(task.name as 'spambase');
    const some = rows.slice(0, 20) as string[][];
    const goal = columns.indexOf(task === spambase ? 'spam' : 'class');
    const without = some.map((row) => row.filter((_, i) => i !== goal));
    const text = (list: readonly (readonly string[])[]) =>
      list.map((row) => row.join(',')).join('\n');
    const whole = answer('rows.data', text(some));
    expect(whole).toHaveLength(20);
    expect(answer('rows.data', text(without))).toEqual(whole);
    expect(answer('rows.csv', text([columns, ...some]))).toEqual(whole);
    expect(() => answer('bad.data', text([without[0].slice(1)]))).toThrow(/expected \d+ fields/);
  });

  it('of entities tags sentences, in columns or one a line', async () => {
    const { answer, problem, model } = await trained(entities, {
      examples: 400,
      testExamples: 20,
      width: 16,
    });
    const sentences = syntheticSentences({ count: 20, split: 'test' });
    const lines = sentences.map(({ words }) => words.join(' ')).join('\n');
    const answers = answer('some.txt', `${lines}\n\n`);
    expect(answers.map((one) => 'words' in one && one.words)).toEqual(
      sentences.map(({ words }) => words),
    );
    const columns = sentences
      .map(({ words, tags }) => words.map((word, t) => `${word}\t${tags[t]}\n`).join(''))
      .join('\n');
    expect(answer('some.conll', columns)).toEqual(answers);
    const { metrics } = await model.evaluate(problem.data.test, { loss: problem.loss });
    const [right, all] = [
      answers.flatMap((one) => ('tags' in one ? one.tags : [])),
      sentences.flatMap(({ tags }) => tags),
    ];
    const share = right.filter((tag, i) => tag === all[i]).length / all.length;
    expect(share).toBe(metrics.accuracy);
    expect(() => answer('none.txt', '\n \n')).toThrow(/holds no sentence/);
  });

  it('of digits takes IDX, of images CIFAR-10’s form', async () => {
    const lenet = await trained(digits, { examples: 300, testExamples: 10 });
    const drawn = syntheticDigits({ count: 4, seed: 9, split: 'test', size: 28 });
    const read = lenet.answer('four', idx(8, [4, 28, 28], drawn.inputs.data as Uint8Array));
    expect(read).toHaveLength(4);
    expect(() => lenet.answer('small', idx(8, [1, 2, 2], Uint8Array.of(1, 2, 3, 4)))).toThrow(
      /images of 28 × 28/,
    );

    const resnet = await trained(images, { examples: 32, testExamples: 5, width: 2 });
    const { inputs, count } = resnet.problem.data.test;
    const bytes = new Uint8Array(count * 3073);
    for (let i = 0; i < count; i++) {
      bytes.set(inputs.data.subarray(i * 3072, (i + 1) * 3072), i * 3073 + 1);
    }
    const { data } = resnet.model.predict(inputs.data as Uint8Array);
    const best = Array.from({ length: count }, (_, i) => {
      const logits = [...data.subarray(10 * i, 10 * i + 10)];
      return resnet.problem.classes[logits.indexOf(Math.max(...logits))];
    });
    expect(answersOf(resnet.answer('five.bin', bytes))).toEqual(best);
    expect(() => resnet.answer('cut.bin', bytes.subarray(1))).toThrow(
      /whole records of a label and 3072 pixels/,
    );
  });

  it('of another kind is refused', async () => {
    const { model, path } = await trained(titanic, { examples: 20, testExamples: 5 });
    const refused = (metadata: Record<string, string>) => {
      model.save(path, { metadata });
      return () => readerOf(path);
    };
    expect(refused({})).toThrow(
      /titanic\.safetensors: it does not say of which task it is; help: /,
    );
    expect(refused({ task: 'chess', problem: '{}' })).toThrow(/it does not say of which task/);
    expect(refused({ task: 'titanic', problem: '{' })).toThrow(
      /its metadata\.problem is none of titanic, /,
    );
    const none = refused({ task: 'titanic', problem: '{"width":"wide"}' });
    expect(none).toThrow(/its metadata\.problem is none of titanic, width/);
    expect(none).toThrow(expect.objectContaining({ code: 'FLATMIN_DATA' }));
  });
});
