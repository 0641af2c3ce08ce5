import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RunEvent, RunFolder } from '../../src/cli/run-folder.ts';

const start = { event: 'start', task: 'digits', optimizer: 'sgd' } as RunEvent;
const epoch = { event: 'epoch', epoch: 1, trainLoss: 0.5 } as RunEvent;

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

  it('must be JSON', () => {
    const folder = new RunFolder(dir);
    writeFileSync(folder.metrics, 'hello\n');
    expect(() => folder.events()).toThrow(/metrics\.jsonl: line 1 is not JSON/);
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

describe('a folder that cannot be written', () => {
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
