import { afterEach, expect, it, vi } from 'vitest';
import { compare } from '../../src/cli/compare.ts';
import { chooseSettings, type TrainOptions } from '../../src/cli/settings.ts';
import { digits } from '../../src/tasks/digits.ts';
import type { MethodName } from '../../src/tasks/methods.ts';

const problem = digits.load({ examples: 20, testExamples: 10 });
const options: TrainOptions = {
  optimizer: ['sgd', 'lion'],
  device: 'js',
  schedule: 'constant',
  seed: 0,
  epochs: 2,
  batch: 10,
};

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

const written = (name: 'stdout' | 'stderr') => {
  let text = '';
  vi.spyOn(process[name], 'write').mockImplementation((chunk) => {
    text += chunk;
    return true;
  });
  return () => text;
};

it('leaves out a method that blows up, and goes on', async () => {
  const stdout = written('stdout');
  const stderr = written('stderr');
  const runs = (['sgd', 'lion'] satisfies MethodName[]).map((method) => {
    const given = { ...options, ...(method === 'sgd' && { lr: 1e30 }) };
    return {
      settings: chooseSettings(digits, method, given, { problem, backend: 'js' }),
      folder: undefined,
    };
  });
  await compare(digits, problem, runs, { ...options, signal: new AbortController().signal });
  expect(stderr()).toMatch(/^sgd: The gradient of ".*" is not finite/m);
  expect(stdout()).toMatch(/^lion /m);
  expect(stdout()).not.toMatch(/^sgd /m);
  expect(process.exitCode).toBe(1);
});

it('says of a method that its loss has grown', async () => {
  const stdout = written('stdout');
  written('stderr');
  const given = { ...options, epochs: 8, batch: 4, lr: 1 };
  const settings = chooseSettings(digits, 'lion', given, { problem, backend: 'js' });
  const runs = [{ settings, folder: undefined }];
  await compare(digits, problem, runs, { ...given, signal: new AbortController().signal });
  expect(stdout()).toMatch(/^lion \(diverged\) /m);
  const json = { ...given, json: true, signal: new AbortController().signal };
  await compare(digits, problem, runs, json);
  const result = JSON.parse(stdout().trim().split('\n').at(-1) as string);
  expect(result).toMatchObject({ event: 'result', optimizer: 'lion', stopped: 'diverged' });
});
