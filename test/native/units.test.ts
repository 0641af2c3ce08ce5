/**
 * Units of native/cpu and native/cuda: which files they take, and that no two of them can mean different things by one
 * name, of which a linker would keep either.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { findTools } from '../../scripts/tools.mjs';

const native = resolve(import.meta.dirname, '../../native');
const folder = mkdtempSync(join(tmpdir(), 'flatmin-units-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SIDES = [
  { side: 'cpu', kind: '.cc', options: ['-DFLATMIN_ISA=portable'] },
  { side: 'cuda', kind: '.cu', options: [`-I${join(native, 'emulation')}`] },
];

const read = (path: string): string => readFileSync(join(native, path), 'utf8');
const filesOf = (side: string): string[] =>
  readdirSync(join(native, side), { recursive: true, encoding: 'utf8' })
    .sort()
    .map((path) => `${side}/${path}`);

/** Definitions outside of anonymous namespaces that a header does not declare, by their first line. */
function unknownToOthers(text: string, headers: string): string[] {
  const shared = text.replace(/^namespace \{$.*?^\} {2}\/\/ namespace$/gms, '');
  return shared
    .split('\n')
    .filter((line) => /^(\w.*\(|struct \w|class \w|enum |union |template|constexpr )/.test(line))
    .filter((line) => !/^(namespace|using) /.test(line))
    .filter((line) => {
      const [, type] = /^(?:struct|class) (\w+)/.exec(line) ?? [];
      if (type !== undefined) return !new RegExp(`^(struct|class) ${type};`, 'm').test(headers);
      const [, name] = /([\w:~]+)\(/.exec(line) ?? [];
      if (name === undefined) return true;
      return !/^op_\w+$|::/.test(name) && !new RegExp(`\\b${name}\\(`).test(headers);
    });
}

const { compiler } = findTools();
const title = compiler === null ? 'headers together, skipped: no compiler' : 'headers together';

describe.each(SIDES)('units of native/$side', ({ side, kind, options }) => {
  const files = filesOf(side);
  const isUnit = (path: string): boolean => path.split('/').length === 2 && path.endsWith(kind);
  const sources = files.filter((path) => path.endsWith(kind) && !isUnit(path));
  const headers = files.filter((path) => path.endsWith('.h'));

  it('take every file once', () => {
    const taken = files
      .filter(isUnit)
      .flatMap((unit) => [...read(unit).matchAll(/^#include "(.*)"$/gm)].map(([, path]) => path));
    expect(taken.sort()).toEqual(sources);
  });

  it('define nothing that others could define, too', () => {
    const declared = headers.map(read).join('\n');
    const found = sources.flatMap((path) =>
      unknownToOthers(read(path), declared).map((line) => `${path}: ${line}`),
    );
    expect(found).toEqual([]);
  });

  // A type or function that two headers define is an error of the compiler.
  it.skipIf(compiler === null)(title, { timeout: 300_000 }, () => {
    const all = join(folder, `${side}.cc`);
    const together = headers.filter((path) => !path.endsWith('/amx_model.h'));
    writeFileSync(all, together.map((path) => `#include "${path}"\n`).join(''));
    const flags = ['-std=c++17', '-fsyntax-only', ...options, `-I${native}`, all];
    execFileSync(compiler as string, flags, { stdio: ['ignore', 'ignore', 'pipe'] });
  });
});
