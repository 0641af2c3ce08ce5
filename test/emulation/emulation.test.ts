/** The emulation itself: planted bugs are caught, plain and under sanitizers, and failures are typed errors. */
import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildTarget, type Variant } from './build.ts';

/** Milliseconds that compiling, or a run under a sanitizer, may take on a machine that others load. */
const PATIENCE = 300_000;

const { missing } = await buildTarget('planted', 'plain');

async function build(variant: Variant) {
  const { path } = await buildTarget('planted', variant);
  return (...args: string[]) => spawnSync(path, args, { encoding: 'utf8' });
}

function itFindsNothingInCleanKernels(planted: () => Awaited<ReturnType<typeof build>>): void {
  it('finds nothing where there is nothing', { timeout: PATIENCE }, () => {
    const { stdout, stderr, status } = planted()('clean');
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^[1-9]\d* passed, 0 failed$/m);
    expect(status).toBe(0);
  });
}

/** Without which thread it was, and the lines. */
const named = (report: string): string =>
  report
    .replace(/thread \d+ of block \(\d+, \d+, \d+\)/g, 'thread')
    .replace(/(\.(cu|h)):\d+/g, '$1');

describe.skipIf(missing !== null)(
  missing === null ? 'emulation' : `emulation, skipped: ${missing}`,
  () => {
    describe('plain', () => {
      let planted: Awaited<ReturnType<typeof build>>;
      beforeAll(async () => {
        planted = await build('plain');
      }, PATIENCE);

      it('catches every planted bug and finds none where there is none', () => {
        const { stdout, status } = planted();
        expect(named(stdout)).toMatchInlineSnapshot(`
          "missing barrier: caught in 40 of 40 orders: another result
          missing second barrier: caught in 40 of 40 orders: another result
          guard off by one: caught in 40 of 40 orders: kernel: a write beside a buffer of 1152 bytes
          divergent barrier: caught in 40 of 40 orders: kernel: thread at planted.cu: divergent barrier: threads of the block have ended
          two barriers: caught in 40 of 40 orders: kernel: thread at planted.cu: divergent barrier: others wait at planted.cu
          misaligned vector: caught in 40 of 40 orders: kernel: thread at launch.h: a misaligned access
          ended lanes: caught in 40 of 40 orders: kernel: thread at planted.cu: a warp operation whose mask names lanes that have ended
          beyond shared memory: caught in 40 of 40 orders: kernel: a write beyond shared memory declared at planted.cu
          too many threads: caught in 40 of 40 orders: kernel: launched with more than 1024 threads a block
          383 passed, 0 failed
          "
        `);
        expect(status).toBe(0);
      });
    });

    describe('under AddressSanitizer and UndefinedBehaviorSanitizer', () => {
      let planted: Awaited<ReturnType<typeof build>>;
      beforeAll(async () => {
        planted = await build('memory');
      }, PATIENCE);

      itFindsNothingInCleanKernels(() => planted);

      it.each([
        ['guard off by one', 'heap-buffer-overflow'],
        ['beyond shared memory', 'heap-buffer-overflow'],
        ['misaligned vector', 'misaligned address'],
      ])('names the line of: %s', { timeout: PATIENCE }, (bug, report) => {
        const { stderr, status } = planted(bug);
        expect(stderr).toContain(report);
        expect(stderr).toMatch(/(planted\.cu|launch\.h):\d+/);
        expect(status).not.toBe(0);
      });
    });

    describe('under ThreadSanitizer', () => {
      let planted: Awaited<ReturnType<typeof build>>;
      beforeAll(async () => {
        planted = await build('races');
      }, PATIENCE);

      itFindsNothingInCleanKernels(() => planted);

      it.each([
        ['missing barrier', 'missingBarrier<true>'],
        ['missing second barrier', 'missingSecondBarrier<true>'],
      ])('names the line of: %s', { timeout: PATIENCE }, (bug, kernel) => {
        const { stderr, status } = planted(bug);
        expect(stderr).toContain('WARNING: ThreadSanitizer: data race');
        expect(stderr).toMatch(/SUMMARY: .*planted\.cu:\d+/);
        expect(stderr).toContain(kernel);
        expect(status).not.toBe(0);
      });
    });
  },
);
