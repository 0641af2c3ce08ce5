/** Which addon is taken, what is told where none is, and what `backend()` says of it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { version } from '../../scripts/record.mjs';
import { load, loadAddon } from '../../src/backend/native/addon.ts';
import type { Candidate } from '../../src/backend/native/candidates.ts';
import { backend, type FlatminError } from '../../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'flatmin-addon-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A module in place of an addon. */
function module(name: string, text: string): string {
  const path = join(folder, `${name}.cjs`);
  writeFileSync(path, text);
  return path;
}

const absent: Candidate = { name: 'own build', path: null, reason: 'none', remedy: 'build it' };
const candidate = (name: string, text: string): Candidate => ({
  name,
  path: module(name, text),
  reason: null,
  remedy: `install ${name}`,
});

describe('the loader', () => {
  it('takes the first that loads and is of this version', () => {
    const older = candidate('older', "exports.version = '0.0.1';");
    const broken = candidate('broken', "throw new Error('GLIBC_2.99 not found');");
    const good = candidate('good', `exports.version = '${version}';`);
    const { addon, path, attempts } = load([absent, older, broken, good, absent]);
    expect(addon?.version).toBe(version);
    expect(path).toBe(good.path);
    expect(attempts).toEqual([
      { name: 'own build', path: null, reason: 'none' },
      {
        name: 'older',
        path: older.path,
        reason: `it was built for flatmin 0.0.1, this is ${version}`,
      },
      { name: 'broken', path: broken.path, reason: 'GLIBC_2.99 not found' },
      { name: 'good', path: good.path, reason: null },
    ]);
  });

  it('tells every attempt and numbers the remedies where none can be used', () => {
    const broken = candidate('broken', "throw new Error('GLIBC_2.99 not found');");
    expect(load([absent, broken])).toMatchObject({
      addon: null,
      reason: 'own build: none; broken: GLIBC_2.99 not found',
      remedy: '1. build it; 2. install broken',
    });
    expect(load([absent]).remedy).toBe('build it');
    expect(load([{ ...absent, remedy: null }]).remedy).toBeNull();
  });
});

describe('backend()', () => {
  it('tells JavaScript, and that it was asked for', () => {
    expect(backend({ device: 'js' })).toEqual({
      device: 'js',
      isa: null,
      threads: 1,
      path: null,
      whyNotBetter: ['device "js" was asked for'],
    });
  });

  const { addon, path, reason } = loadAddon();
  it.skipIf(addon === null)(
    `tells the kernels${reason === null ? '' : `, skipped: ${reason}`}`,
    () => {
      const told = backend({ threads: 2 });
      expect(told).toMatchObject({ device: 'cpu', threads: 2, path });
      expect(told.isa).toBe(process.env.FLATMIN_ISA || addon?.isa);
      expect(told.whyNotBetter.at(-1)).toMatch(/^CUDA: /);
    },
  );

  it('refuses a device that is not there, and what is no option', () => {
    const code = (options: unknown) => {
      try {
        backend(options as object);
      } catch (error) {
        return (error as FlatminError).code;
      }
    };
    expect(code({ device: 'tpu' })).toBe('FLATMIN_ARGUMENT');
    expect(code({ device: Symbol('cpu') })).toBe('FLATMIN_ARGUMENT');
    expect(code({ device: 'cuda:99' })).toBe('FLATMIN_DEVICE');
    expect(code({ dev: 'cpu' })).toBe('FLATMIN_ARGUMENT');
    expect(code({ threads: Symbol('2') })).toBe('FLATMIN_ARGUMENT');
  });
});
