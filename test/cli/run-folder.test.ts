import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KeptEvent } from '../../src/cli/run-events.ts';
import { RunFolder, toLine } from '../../src/cli/run-folder.ts';

const start: KeptEvent = {
  event: 'start',
  task: 'digits',
  optimizer: 'sgd',
  lr: 0.1,
  weightDecay: 0,
  schedule: 'constant',
  batch: 10,
  epochs: 2,
  seed: 0,
  data: 'digits',
  synthetic: true,
  examples: 20,
  testExamples: 10,
  backend: 'js',
};
const epoch: KeptEvent = {
  event: 'epoch',
  optimizer: 'sgd',
  synthetic: true,
  epoch: 1,
  trainLoss: NaN,
  testLoss: Infinity,
  testAccuracy: 0.5,
  epochSeconds: 1.5,
};
const result: KeptEvent = {
  event: 'result',
  optimizer: 'sgd',
  synthetic: true,
  testAccuracy: 0.5,
  testLoss: -Infinity,
  trainLoss: NaN,
  seconds: 3,
  target: 0.985,
  epochsToTarget: null,
  secondsToTarget: null,
};

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'flatmin-run-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

describe('the metrics', () => {
  it('are read back, but for a line that was cut off', () => {
    const folder = new RunFolder(join(dir, 'new', 'run'));
    expect(folder.events()).toEqual([]);
    folder.begin([start]);
    folder.append(epoch);
    expect(folder.events()).toEqual([start, epoch]);
    appendFileSync(folder.metrics, '{"event":"epo');
    expect(folder.events()).toEqual([start, epoch]);
    folder.begin([start]);
    expect(folder.events()).toEqual([start]);
    expect(readdirSync(join(dir, 'new', 'run'))).toEqual(['metrics.jsonl']);
  });

  it('keep numbers that JSON has no word for, in words of their own', () => {
    const folder = new RunFolder(dir);
    folder.begin([start, epoch, result]);
    expect(folder.events()).toEqual([start, epoch, result]);
    const lines = readFileSync(folder.metrics, 'utf8').trimEnd().split('\n');
    expect(JSON.parse(lines[1])).toMatchObject({ trainLoss: 'NaN', testLoss: 'Infinity' });
    expect(JSON.parse(lines[2])).toMatchObject({ testLoss: '-Infinity', secondsToTarget: null });
  });

  it.each<[string, string[], RegExp]>([
    ['JSON', ['hello'], /metrics\.jsonl: line 1 is not JSON; help: /],
    ['objects', ['7'], /line 1 is no event of a run, /],
    ['events', ['{"event":"end"}'], /line 1 is no event of a run, event: /],
    ['of a start', [toLine(epoch)], /line 1 is "epoch", and a run has one "start"/],
    ['of one start', [toLine(start), toLine(start)], /line 2 is "start", and a run has one/],
    [
      'whole',
      [toLine(start), '{"event":"epoch","epoch":1}'],
      /line 2 is no event of a run, optimizer: /,
    ],
    ['of numbers', [toLine({ ...start, lr: '0.1' as never })], /line 1 is no event of a run, lr: /],
    ['of whole epochs', [toLine(start), toLine({ ...epoch, epoch: 0.5 })], /line 2 .* epoch: /],
    [
      'joined by no other run',
      [toLine(start), toLine(epoch).slice(0, 40) + toLine(epoch)],
      /line 2 is not JSON/,
    ],
  ])('must be %s', (_, lines, message) => {
    const folder = new RunFolder(dir);
    writeFileSync(folder.metrics, lines.map((line) => `${line.trimEnd()}\n`).join(''));
    expect(fault(() => folder.events())).toMatchObject({
      code: 'FLATMIN_DATA',
      message: expect.stringMatching(message),
    });
  });

  it('are not waited for where they are a pipe', ({ skip }) => {
    const folder = new RunFolder(dir);
    if (spawnSync('mkfifo', [folder.metrics]).status !== 0) skip('there are no pipes here');
    expect(fault(() => folder.events())).toMatchObject({ code: 'FLATMIN_DATA' });
  });

  it('of another run stay', () => {
    const folder = new RunFolder(dir);
    folder.requireUnused();
    folder.begin([start]);
    expect(() => folder.requireUnused()).toThrow(
      `${dir} already holds a run (${folder.metrics}); help: go on with it by --resume, or choose another --out`,
    );
  });
});

const fault = (action: () => void) => {
  try {
    action();
  } catch (error) {
    return error;
  }
};

describe('a lock', () => {
  const lockOf = (name: string) => {
    mkdirSync(join(dir, name), { recursive: true });
    return join(dir, name, 'run.lock');
  };
  const folder = () => new RunFolder(join(dir, 'run'));

  it('is one process’s until it gives it back', () => {
    const release = folder().lock();
    expect(fault(() => folder().lock())).toMatchObject({
      code: 'FLATMIN_BUSY',
      message: `process ${process.pid} is at work in this folder (${lockOf('run')}); help: wait for it, stop it, or choose another --out`,
    });
    release();
    expect(readdirSync(join(dir, 'run'))).toEqual([]);
    folder().lock()();
  });

  const dead = spawnSync('true').pid;
  it.each([
    ['a process that is dead', { pid: dead, host: hostname(), started: '1' }],
    [
      'a process whose number another has now',
      { pid: process.pid, host: hostname(), started: '1' },
    ],
    ['one that was killed while it wrote', undefined],
    ['nobody that can be', { pid: -1, host: 7 }],
  ])('is taken over from %s, with what it left half written', (_, holder) => {
    const path = lockOf('run');
    writeFileSync(path, holder === undefined ? '{"pid":' : JSON.stringify(holder));
    const kept = ['checkpoint.safetensors', 'notes.tmp'];
    for (const name of [...kept, 'checkpoint.safetensors.7.tmp', 'metrics.jsonl.7.tmp']) {
      writeFileSync(join(dir, 'run', name), '');
    }
    const release = folder().lock();
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ pid: process.pid });
    release();
    expect(readdirSync(join(dir, 'run')).sort()).toEqual(kept);
  });

  it('of another machine is taken over once nobody has touched it for a minute', () => {
    const path = lockOf('run');
    writeFileSync(path, JSON.stringify({ pid: dead, host: 'elsewhere.invalid', started: '1' }));
    expect(fault(() => folder().lock())).toMatchObject({
      message: expect.stringContaining(`process ${dead} of elsewhere.invalid is at work`),
    });
    const before = new Date(Date.now() - 61_000);
    utimesSync(path, before, before);
    folder().lock()();
  });
});

describe('a folder that cannot be written', () => {
  it.each<[string, string]>([
    ['a file', 'file'],
    ['a file’s', 'file/run'],
    ['a loop of links', 'loop'],
    ['in a loop of links', 'loop/run'],
    ['a device', '/dev/null'],
    ['too long a name', 'x'.repeat(300)],
    ['the kernel’s', '/proc/flatmin'],
    ['within one of the kernel’s', '/proc/flatmin/run'],
  ])('as %s is one clear error', (_, name) => {
    writeFileSync(join(dir, 'file'), '');
    symlinkSync('loop', join(dir, 'loop'));
    const path = resolve(dir, name);
    expect(fault(() => new RunFolder(path).lock())).toMatchObject({
      code: 'FLATMIN_IO',
      message: expect.stringMatching(/^Cannot write .*run\.lock: E[A-Z]+: /),
    });
  });

  it('is one clear error', () => {
    writeFileSync(join(dir, 'file'), '');
    const folder = new RunFolder(join(dir, 'file', 'run'));
    expect(fault(() => folder.begin([start]))).toMatchObject({
      code: 'FLATMIN_IO',
      message: expect.stringMatching(/^Cannot write .*metrics\.jsonl: ENOTDIR/),
    });
  });

  it('may be so because the disk is full', ({ skip }) => {
    const disk = join(dir, 'disk');
    mkdirSync(disk);
    const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8k', 'tmpfs', disk]);
    if (mount.status !== 0) skip('a small disk can only be mounted by root');
    try {
      const folder = new RunFolder(disk);
      folder.begin([start]);
      const full = fault(() => {
        for (let i = 0; i < 1000; i++) folder.append(epoch);
      });
      expect(full).toMatchObject({
        code: 'FLATMIN_IO',
        message: expect.stringMatching(/^Cannot write .*metrics\.jsonl: ENOSPC/),
      });
      expect(folder.events()[1]).toEqual(epoch);
      expect(fault(() => folder.begin([start, epoch]))).toMatchObject({ code: 'FLATMIN_IO' });
      expect(existsSync(folder.metrics)).toBe(true);
      expect(readdirSync(disk)).toEqual(['metrics.jsonl']);
    } finally {
      spawnSync('umount', [disk]);
    }
  });
});
