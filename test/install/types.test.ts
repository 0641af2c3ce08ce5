/** Types of the package in a project that checks its libraries too. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'flatmin-types-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('are without errors under strict, libraries checked', { timeout: 120_000 }, () => {
  const declarations = join(root, 'dist', 'index.d.ts');
  expect(existsSync(declarations)).toBe(true);
  const file = join(folder, 'user.ts');
  writeFileSync(
    file,
    `import { lion } from ${JSON.stringify(declarations.replace('.d.ts', '.js'))};\nlion({ lr: 0.1 });\n`,
  );
  const flags =
    '--noEmit --strict --skipLibCheck false --module nodenext --target es2022 --types node';
  const types = ['--typeRoots', join(root, 'node_modules', '@types')];
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const run = () =>
    execFileSync(process.execPath, [tsc, ...flags.split(' '), ...types, file], {
      cwd: folder,
      encoding: 'utf8',
    });
  expect(run).not.toThrow();
});
