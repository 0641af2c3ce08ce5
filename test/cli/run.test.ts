import { mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Progress } from '../../src/cli/progress.ts';
import { runMethod } from '../../src/cli/run.ts';
import { type RunEvent, RunFolder } from '../../src/cli/run-folder.ts';
import { chooseMethods, chooseSettings, type TrainOptions } from '../../src/cli/settings.ts';
import { digits } from '../../src/tasks/digits.ts';

const options: TrainOptions = {
  optimizer: 'sam',
  device: 'js',
  schedule: 'cosine',
  seed: 1,
  epochs: 3,
  batch: 8,
};
const data = digits.load({ examples: 20, testExamples: 10 });
const settings = chooseSettings(digits, 'sam', options, { data, backend: 'js' });

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'flatmin-run-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

interface Given {
  resume?: boolean;
  step?: Progress['step'];
  signal?: AbortSignal;
  settings?: typeof settings;
}

async function run(name: string, given: Given = {}) {
  const folder = new RunFolder(join(dir, name));
  const events: RunEvent[] = [];
  const result = await runMethod(digits, data, given.settings ?? settings, {
    device: 'js',
    folder,
    resume: given.resume,
    emit: (event) => events.push(event),
    progress: { start: () => {}, step: given.step, epoch: () => {}, stop: () => {} },
    signal: given.signal ?? new AbortController().signal,
  }).catch((error) => error);
  return { result, events, folder };
}

/** Times differ from run to run. */
const timeless = (events: readonly RunEvent[]) =>
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
    expect(events[0]).toEqual({ event: 'start', ...settings });
    expect(events[1]).toEqual({
      event: 'epoch',
      optimizer: 'sam',
      synthetic: true,
      epoch: 1,
      trainLoss: expect.any(Number),
      testLoss: expect.any(Number),
      testAccuracy: expect.any(Number),
      epochSeconds: expect.any(Number),
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
    const other = { ...settings, lr: 0.5, epochs: 9 };
    const { result, folder } = await run('stopped', { resume: true, settings: other });
    expect(result).toMatchObject({
      code: 'FLATMIN_CHECKPOINT',
      message: `${folder.metrics} is of a run with lr 0.03, not 0.5; epochs 3, not 9; help: resume with the same options, or choose another --out`,
    });
  });

  it('starts where nothing is saved, though asked to resume', async () => {
    const { events } = await run('nothing', { resume: true });
    expect(events).toHaveLength(5);
  });
});

describe('settings', () => {
  it('are the task’s where the command line is silent', () => {
    const bare = { device: 'js', schedule: 'constant', seed: 0 } as const;
    const all = { ...bare, optimizer: 'all', rho: 0.5 } as const;
    const chosen = chooseMethods(all).map((method) => {
      const { lr, rho } = chooseSettings(digits, method, all, { data, backend: 'js' });
      return [method, lr, rho];
    });
    expect(chosen).toEqual([
      ['sgd', 0.1, undefined],
      ['sam', 0.03, 0.5],
      ['lion', 0.0001, undefined],
      ['kfac', 0.01, undefined],
      ['shampoo', 0.1, undefined],
    ]);
    const given = { ...bare, optimizer: 'lion', lr: 0, epochs: 2 } as const;
    const one = chooseSettings(digits, 'lion', given, { data, backend: 'js' });
    expect(one).toMatchObject({ lr: 0, epochs: 2, batch: 100, examples: 20, backend: 'js' });
  });

  it('must belong to the method', () => {
    const choose = (given: Partial<TrainOptions>) => () => chooseMethods({ ...options, ...given });
    expect(choose({ optimizer: 'lion', rho: 0.1 })).toThrow(
      '--rho belongs to sam, asam, looksam, and the optimizer is lion',
    );
    expect(choose({ optimizer: 'all', lr: 0.1 })).toThrow(
      '--lr belongs to one method, and --optimizer all runs 5; help: name one',
    );
  });
});
