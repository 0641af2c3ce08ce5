import { mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { version } from '../../scripts/record.mjs';
import { runMethod } from '../../src/cli/run.ts';
import { isKept, type KeptEvent, type Sink } from '../../src/cli/run-events.ts';
import { RunFolder } from '../../src/cli/run-folder.ts';
import { checkMethodOptions, chooseSettings, type TrainOptions } from '../../src/cli/settings.ts';
import { digits } from '../../src/tasks/digits.ts';
import { COMPARED } from '../../src/tasks/methods.ts';

const options: TrainOptions = {
  optimizer: ['sam'],
  device: 'js',
  schedule: 'cosine',
  seed: 1,
  epochs: 3,
  batch: 8,
};
const problem = digits.load({ examples: 20, testExamples: 10 });
const settings = chooseSettings(digits, 'sam', options, { problem, backend: 'js' });

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'flatmin-run-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

interface Given {
  resume?: boolean;
  step?: (report: { step: number }) => void;
  signal?: AbortSignal;
  settings?: typeof settings;
}

async function run(name: string, given: Given = {}) {
  const folder = new RunFolder(join(dir, name));
  const events: KeptEvent[] = [];
  const told: Sink = { take: (event) => isKept(event) && events.push(event) };
  const watching: Sink = {
    steps: true,
    take: (event) => event.event === 'step' && given.step?.(event),
  };
  const result = await runMethod(digits, problem, given.settings ?? settings, {
    device: 'js',
    folder,
    resume: given.resume,
    sinks: given.step === undefined ? [told] : [told, watching],
    signal: given.signal ?? new AbortController().signal,
  }).catch((error) => error);
  return { result, events, folder };
}

/** Times differ from run to run. */
const timeless = (events: readonly KeptEvent[]) =>
  events.map((event) => ({ ...event, epochSeconds: 0, seconds: 0 }));

/** Aborts after `steps` steps. */
function stopAfter(steps: number) {
  const controller = new AbortController();
  return {
    signal: controller.signal,
    step: ({ step }: { step: number }) => {
      if (step === steps) controller.abort();
    },
  };
}

describe('a run', () => {
  it('writes what it emits: its settings, its epochs, its result', async () => {
    const { result, events, folder } = await run('whole');
    expect(events.map(({ event }) => event)).toEqual([
      'start',
      'epoch',
      'epoch',
      'epoch',
      'result',
    ]);
    expect(events[0]).toEqual({
      event: 'start',
      ...settings,
      origin: {
        command: expect.stringMatching(/^flatmin/),
        machine: expect.stringContaining(`Node ${process.versions.node}`),
        version: expect.stringContaining(version),
      },
    });
    expect(events[1]).toEqual({
      event: 'epoch',
      optimizer: 'sam',
      synthetic: true,
      epoch: 1,
      trainLoss: expect.any(Number),
      testLoss: expect.any(Number),
      testAccuracy: expect.any(Number),
      epochSeconds: expect.any(Number),
      metrics: { accuracy: (events[1] as { testAccuracy: number }).testAccuracy },
    });
    expect(events[4]).toEqual({ event: 'result', ...result });
    expect(folder.events()).toEqual(events);
  });

  it('goes on as if it had never stopped', async () => {
    const whole = await run('whole');
    const stopped = await run('stopped', stopAfter(5));
    expect(stopped.result).toMatchObject({ code: 'FLATMIN_ABORTED' });
    expect(stopped.folder.events()).toEqual(stopped.events);
    expect(stopped.events).toHaveLength(2);

    const resumed = await run('stopped', { resume: true });
    expect(timeless(resumed.events)).toEqual(timeless(whole.events));
    expect(timeless(resumed.folder.events())).toEqual(timeless(whole.events));
    expect(readFileSync(resumed.folder.model)).toEqual(readFileSync(whole.folder.model));
  });

  it('evaluated by steps goes on as if it had never stopped', async () => {
    const given = { ...options, evaluateEvery: { steps: 2 } };
    const bySteps = chooseSettings(digits, 'sam', given, { problem, backend: 'js' });
    const whole = await run('whole', { settings: bySteps });
    const names = (events: readonly KeptEvent[]) => events.map(({ event }) => event);
    expect(names(whole.events)).toEqual([
      ...['start', 'evaluation', 'epoch', 'evaluation', 'evaluation', 'epoch', 'evaluation'],
      ...['epoch', 'result'],
    ]);
    await run('stopped', { settings: bySteps, ...stopAfter(5) });
    const resumed = await run('stopped', { settings: bySteps, resume: true });
    expect(timeless(resumed.events)).toEqual(timeless(whole.events));
    expect(timeless(resumed.folder.events())).toEqual(timeless(whole.events));
  });

  it('gets the lines that were lost back from its checkpoint', async () => {
    const { folder, events } = await run('stopped', stopAfter(7));
    expect(events).toHaveLength(3);
    truncateSync(folder.metrics, readFileSync(folder.metrics).length - 10);
    const resumed = await run('stopped', { resume: true });
    expect(resumed.events.slice(0, 3)).toEqual(events);
    expect(folder.events()).toEqual(resumed.events);
  });

  it('that is finished is only told again', async () => {
    const whole = await run('whole');
    const again = await run('whole', {
      resume: true,
      step: () => expect.unreachable('it is trained again'),
    });
    expect(again.events).toEqual(whole.events);
    expect(again.result).toMatchObject(whole.result);
  });

  it('is not resumed under other settings', async () => {
    await run('stopped', stopAfter(2));
    const given = { ...options, lr: 0.5, epochs: 9, set: { p: Infinity } };
    const other = chooseSettings(digits, 'sam', given, { problem, backend: 'js' });
    const { result, folder } = await run('stopped', { resume: true, settings: other });
    expect(result).toMatchObject({
      code: 'FLATMIN_CHECKPOINT',
      message: `${folder.metrics} is of a run with lr 0.03, not 0.5; epochs 3, not 9; settings.p 2, not Infinity (a cosine ends with the last epoch); help: resume with the same options, or choose another --out`,
    });
  });

  const constant = (epochs: number) => ({ ...settings, schedule: 'constant' as const, epochs });

  it('becomes longer, as if it had been so long from the start', async () => {
    const whole = await run('long', { settings: constant(4) });
    await run('grown', { settings: constant(2) });
    const grown = await run('grown', { settings: constant(4), resume: true });
    expect(timeless(grown.events)).toEqual(timeless(whole.events));
    expect(timeless(grown.folder.events())).toEqual(timeless(whole.events));
    expect(readFileSync(grown.folder.model)).toEqual(readFileSync(whole.folder.model));
  });

  it('becomes no shorter than it is', async () => {
    await run('long', { settings: constant(3) });
    const { result, folder } = await run('long', { settings: constant(2), resume: true });
    expect(result).toMatchObject({
      code: 'FLATMIN_CHECKPOINT',
      message: `${folder.checkpoint} has 3 epochs, more than --epochs 2; help: ask for at least 3, or choose another --out`,
    });
    const stopped = await run('stopped', { ...stopAfter(4), settings: constant(3) });
    expect(stopped.events).toHaveLength(2);
    const ended = await run('stopped', { settings: constant(2), resume: true });
    expect(ended.events.map(({ event }) => event)).toEqual(['start', 'epoch', 'epoch', 'result']);
  });

  it('does not begin anew where its checkpoint is gone', async () => {
    const { folder } = await run('lost', { settings: constant(2) });
    const before = readFileSync(folder.metrics);
    rmSync(folder.checkpoint);
    const { result } = await run('lost', { settings: constant(3), resume: true });
    expect(result).toMatchObject({
      code: 'FLATMIN_CHECKPOINT',
      message: `${folder.metrics} tells of 2 epochs, and ${folder.checkpoint} has 0; help: put the checkpoint back, or choose another --out`,
    });
    expect(readFileSync(folder.metrics)).toEqual(before);
  });

  it('starts where nothing is saved, though asked to resume', async () => {
    const { events } = await run('nothing', { resume: true });
    expect(events).toHaveLength(5);
  });
});

describe('settings', () => {
  it('are the task’s where the command line is silent', () => {
    const bare = { device: 'js', schedule: 'constant', seed: 0 } as const;
    const all = { ...bare, optimizer: COMPARED, rho: 0.5 } as const;
    const chosen = COMPARED.map((method) => {
      const { lr, rho } = chooseSettings(digits, method, all, { problem, backend: 'js' });
      return [method, lr, rho];
    });
    expect(chosen).toEqual([
      ['sgd', 0.1, undefined],
      ['sam', 0.03, 0.5],
      ['lion', 0.0001, undefined],
      ['kfac', 0.01, undefined],
      ['shampoo', 0.1, undefined],
    ]);
    const given = { ...bare, optimizer: ['lion'], lr: 0, epochs: 2 } as const;
    const one = chooseSettings(digits, 'lion', given, { problem, backend: 'js' });
    expect(one).toMatchObject({ lr: 0, epochs: 2, batch: 100, examples: 20, backend: 'js' });
  });

  it('must belong to the method', () => {
    const check = (given: Partial<TrainOptions>) => () =>
      checkMethodOptions(digits, { ...options, ...given });
    expect(check({ optimizer: ['lion', 'sgd'], rho: 0.1 })).toThrow(
      '--rho belongs to sam, asam, looksam, and the optimizer is lion,sgd',
    );
    expect(check({ optimizer: ['lion', 'sam'], rho: 0.1 })).not.toThrow();
    expect(check({ optimizer: COMPARED, lr: 0.1 })).toThrow(
      '--lr belongs to one method, and --optimizer names 5; help: name one',
    );
  });
});
