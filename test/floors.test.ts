/** Folders of `src` stand on floors: whatever is imported, types too, lies on the same floor or on one below. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';

/** From the lowest up. A folder within a folder stands on its floor; `.` has the files that everyone may import. */
const FLOORS = [
  '.',
  'random',
  'graph',
  'linalg',
  'ops',
  'autodiff',
  'backend',
  'data',
  'nn',
  'step',
  'optim',
  'train',
  'doors',
  'sweep',
  'report',
  'tasks',
  'study',
  'cli',
  'index.ts',
];

const SRC = join(import.meta.dirname, '../src');

interface Import {
  readonly from: string;
  readonly to: string;
  /** `file:line: text` of what imports. */
  readonly where: string;
}

/** Imports of other files of `src` by a file of this text. */
function importsOf(from: string, text: string): Import[] {
  return [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'(\.[^']+)'/g)].flatMap((match) => {
    const to = normalize(join(dirname(from), match[1]));
    if (to.startsWith('..')) return [];
    const line = text.slice(0, match.index).split('\n').length;
    return [{ from, to, where: `src/${from}:${line}: ${match[0]}` }];
  });
}

const floorOf = (file: string): number => {
  const [folder, ...rest] = file.split('/');
  return FLOORS.indexOf(rest.length === 0 && file !== 'index.ts' ? '.' : folder);
};

const pointingUp = (imports: readonly Import[]): string[] =>
  imports
    .filter(({ from, to }) => floorOf(to) > floorOf(from))
    .map(({ to, where }) => `${where} is above: ${FLOORS[floorOf(to)]}`);

/** Files that lead back to themselves, one circle of each. */
function circles(imports: readonly Import[]): string[] {
  const next = new Map<string, Import[]>();
  for (const one of imports) next.set(one.from, [...(next.get(one.from) ?? []), one]);
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    const begin = path.indexOf(file);
    if (begin !== -1) found.push([...path.slice(begin), file].join(' → '));
    if (begin !== -1 || done.has(file)) return;
    for (const { to } of next.get(file) ?? []) visit(to, [...path, file]);
    done.add(file);
  };
  for (const file of next.keys()) visit(file, []);
  return found;
}

describe('the floors of src', () => {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => file.endsWith('.ts'));
  const imports = files.flatMap((file) => importsOf(file, readFileSync(join(SRC, file), 'utf8')));

  it('hold every folder', () => {
    expect(files.filter((file) => floorOf(file) === -1)).toEqual([]);
    expect(imports.filter(({ to }) => !files.includes(to))).toEqual([]);
    expect(imports.length).toBeGreaterThan(files.length);
  });

  it('import only what is on the same floor or below', () => {
    expect(pointingUp(imports)).toEqual([]);
  });

  it('have no files that import each other in a circle', () => {
    expect(circles(imports)).toEqual([]);
  });

  it('would tell an import that points up, by its line, and a circle', () => {
    const text = "import { a } from './b.ts';\nimport type {\n  C,\n} from '../optim/c.ts';\n";
    const made = [
      ...importsOf('graph/a.ts', text),
      ...importsOf('graph/b.ts', "export * from './a.ts'"),
    ];
    expect(pointingUp(made)).toEqual(["src/graph/a.ts:4: from '../optim/c.ts' is above: optim"]);
    expect(circles(made)).toEqual(['graph/a.ts → graph/b.ts → graph/a.ts']);
  });
});
