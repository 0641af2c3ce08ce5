import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { adamw, fit, loadModel, muonWithAdamW } from '../../src/index.ts';
import { baselineOf } from '../../src/tasks/baseline.ts';
import { makeOptimizer } from '../../src/tasks/methods.ts';
import { metadataOf, readerOf } from '../../src/tasks/saved.ts';
import type { Writer } from '../../src/tasks/task.ts';
import { text } from '../../src/tasks/text.ts';
import { devices } from '../optim/devices.ts';

const folder = mkdtempSync(join(tmpdir(), 'flatmin-text-task-'));
afterAll(() => rmSync(folder, { recursive: true }));

const data = process.env.FLATMIN_DATA ?? '';
const there = existsSync(join(data, 'text'));
const why = there ? '' : ', skipped: FLATMIN_DATA names no folder with text';

it.skipIf(!there)(`Tiny Shakespeare in parts of windows${why}`, () => {
  const problem = text.load({ dir: data, validation: true });
  const { train, test } = problem.data;
  expect([train.count, test.count, problem.final?.count]).toEqual([15_685, 871, 871]);
  expect(train).toMatchObject({ name: 'tinyshakespeare', synthetic: false, classes: 66 });
  const { answer, metrics } = baselineOf(problem);
  expect(answer).toBe('" "');
  expect(metrics.accuracy).toBeCloseTo(0.15, 1);
  // 3.3 nats a character.
  expect(Math.log(metrics.perplexity)).toBeCloseTo(3.3, 1);
});

describe('text', () => {
  const load = () => text.load({ examples: 120, testExamples: 30, width: 16 });
  const common = { batch: 12, epochs: 6, evaluateEvery: { epochs: 6 } };

  it('stands beside the frequencies of its characters', () => {
    const { data, ...problem } = load();
    const { accuracy, perplexity } = baselineOf({ data, ...problem }).metrics;
    const counts = new Map<number, number>();
    for (const label of data.train.labels) counts.set(label, (counts.get(label) ?? 0) + 1);
    const all = data.train.labels.length + data.train.classes;
    let surprise = 0;
    for (const label of data.test.labels)
      surprise -= Math.log(((counts.get(label) ?? 0) + 1) / all);
    expect(perplexity).toBeCloseTo(Math.exp(surprise / data.test.labels.length), 10);
    expect(accuracy).toBeGreaterThan(0.1);
    expect(data.train).toMatchObject({ name: 'synthetic text', synthetic: true });
  });

  it.each(devices)('is learnt beyond them on $title', async ({ device, missing }) => {
    if (missing !== null) return;
    const problem = load();
    const { loss, metrics } = problem;
    const { history } = await fit(problem.model, problem.data, {
      ...common,
      optimizer: adamw({ lr: 0.01 }),
      loss,
      metrics,
      device,
    });
    const [last] = history.slice(-1);
    const { perplexity } = last.metrics as { perplexity: number };
    expect(perplexity / Math.exp(last.testLoss as number)).toBeCloseTo(1, 5);
    expect(perplexity).toBeLessThan(0.8 * baselineOf(problem).metrics.perplexity);
  });

  it('by muon trains the matrices of its blocks by Muon and its tables by AdamW', async () => {
    const problem = load();
    const { loss } = problem;
    const run = { ...common, epochs: 1, evaluateEvery: { epochs: 1 }, loss };
    const byName = await fit(problem.model, problem.data, {
      ...run,
      optimizer: makeOptimizer('muon', { lr: 0.003 }),
    });
    const own = { lr: 0.003, weightDecay: 0.01 };
    const split = await fit(problem.model, problem.data, {
      ...run,
      optimizer: muonWithAdamW({
        muon: { ...own, scale: 'match-rms-adamw' },
        adamw: own,
        match: ({ name }) => /^h\.\d\..*c_\w+\.weight$/.test(name),
      }),
    });
    expect(byName.history[0].trainLoss).toBe(split.history[0].trainLoss);
  });

  it('writes from a file, the same by seed, and tells what may come next', async () => {
    const problem = load();
    const { model } = await fit(problem.model, problem.data, {
      ...common,
      optimizer: adamw({ lr: 0.01 }),
      loss: problem.loss,
    });
    const path = join(folder, 'model.safetensors');
    model.save(path, { metadata: metadataOf(text, problem) });
    const { reader } = readerOf(path);
    const loaded = loadModel(reader.model, path);
    const write = reader.writer as Writer;
    const prompt = 'then we saw Karo, and ¿'.repeat(5);
    const options = { count: 30, temperature: 0.5, topK: 5, seed: 2 };
    const written = await write(loaded, prompt, options);
    expect([...written]).toHaveLength(30);
    expect(await write(model, prompt, options)).toBe(written);
    expect(await write(loaded, prompt, { ...options, seed: 3 })).not.toBe(written);

    const file = join(folder, 'prompt.txt');
    writeFileSync(file, prompt);
    const { inputs, answers } = reader.read(file);
    const [next] = answers(loaded.predict(inputs));
    const greedy = await write(loaded, prompt, { count: 1, temperature: 0 });
    expect(next).toMatchObject({ answer: JSON.stringify(greedy) });
    writeFileSync(file, '');
    expect(() => reader.read(file)).toThrow(/holds no text/);
    model.save(path, {
      metadata: { task: 'text', problem: '{"width":16,"tokenizer":{"kind":"x"}}' },
    });
    expect(() => readerOf(path)).toThrow(/metadata\.problem is none of text, tokenizer/);
  });

  it('of more characters than there are bytes is taken as bytes', () => {
    const many = String.fromCodePoint(...Array.from({ length: 300 }, (_, i) => 0x4e00 + i));
    writeFileSync(join(folder, 'input.txt'), many.repeat(10));
    const { data, saved } = text.load({ dir: folder });
    expect(data.train.classes).toBe(256);
    expect(JSON.parse(JSON.stringify(saved))).toEqual({ width: 128, tokenizer: { kind: 'bytes' } });
  });
});
