import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { withLock } from '../../scripts/lock.mjs';

const folder = mkdtempSync(join(tmpdir(), 'flatmin-lock-'));
const lock = join(folder, 'lock');

afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('the build lock', () => {
  it('lets one holder in at a time', async () => {
    let inside = 0;
    let most = 0;
    const work = async () => {
      most = Math.max(most, ++inside);
      await turn();
      inside--;
    };
    await Promise.all([withLock(lock, work), withLock(lock, work), withLock(lock, work)]);
    expect(most).toBe(1);
  });

  it('is given back after a failure', async () => {
    await expect(withLock(lock, () => Promise.reject(new Error('failed')))).rejects.toThrow();
    expect(existsSync(lock)).toBe(false);
  });

  it('is taken over from a holder that was killed', async () => {
    mkdirSync(lock);
    const past = new Date(Date.now() - 60_000);
    utimesSync(lock, past, past);
    expect(await withLock(lock, async () => 'done')).toBe('done');
  });
});
