/**
 * docs/results/cuda-kernels.md says of every CUDA kernel what has run it, by the lists that the tests go by;
 * `npx vitest run test/emulation/kernels.test.ts -u` writes it anew.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { collectCases, nativeOps } from '../conformance/collect.ts';
import type { Case } from '../conformance/harness.ts';
import { onCuda, shortList } from '../conformance/short.ts';

const root = resolve(import.meta.dirname, '../..');
const cuda = join(root, 'native', 'cuda');
const results = join(root, 'docs', 'results');
const read = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : '');

const opsOf = (cases: readonly Case[]): Set<string> =>
  new Set(cases.flatMap(onCuda).flatMap(({ spec }) => spec.instructions.map(({ op }) => op)));

/** The file that each op's kernel is prepared in. */
const files = new Map(
  readdirSync(cuda, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.cu'))
    .flatMap((path) =>
      [...read(join(cuda, path)).matchAll(/^Run op_(\w+)\(/gm)].map(
        ([, op]) => [op, basename(path)] as const,
      ),
    ),
);

/** Architectures for which the report of registers has a kernel of the file. */
function compiledFor(file: string): string {
  const report = read(join(results, 'cuda-registers.md'));
  const head = report.match(/sm_\d+/g) ?? [];
  return report.includes(`| ${file} |`) ? [...new Set(head)].join(' ') : 'not yet compiled';
}

/** Worst errors of the ops by a report of gpu-check that was kept, which only a card can have made. */
function onCard(): (op: string) => string {
  const text = read(join(results, 'gpu-check.json'));
  const report = text === '' ? { device: '', conformance: [] } : JSON.parse(text);
  if (!/^cuda(:\d+)?$/.test(report.device)) return () => 'not yet run';
  const { cards } = report.machine;
  return (op) => {
    const own = report.conformance.filter((outcome: { op: string }) => outcome.op === op);
    if (own.length === 0) return 'not yet run';
    const failed = own.filter(
      ({ worst }: { worst: number | null }) => !(worst !== null && worst <= 1),
    );
    return `${failed.length === 0 ? 'passed' : 'failed'} on ${cards[0]}`;
  };
}

it('the table of CUDA kernels is true', async () => {
  const all = await collectCases();
  const [emulated, short] = [opsOf(all), opsOf(shortList(all))];
  const card = onCard();
  const ran = (ops: ReadonlySet<string>, op: string, how: string) => (ops.has(op) ? how : 'no');
  const rows = nativeOps()
    .sort()
    .map((op) => [
      op,
      files.get(op) ?? 'none',
      ran(emulated, op, 'all cases'),
      ran(short, op, '24 orders'),
      ran(short, op, 'two cases'),
      ran(short, op, 'two cases'),
      compiledFor(files.get(op) ?? ''),
      card(op),
    ]);
  const head = ['op', 'file', 'emulated', 'thread orders', 'ASan, UBSan', 'TSan', 'nvcc', 'GPU'];
  const table = [head, head.map(() => '---'), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |\n`)
    .join('');
  const text = `# What has run the CUDA kernels

Made by \`test/emulation/kernels.test.ts\` from the lists that the tests go by. "All cases" are those of the conformance
suite, "two cases" those of \`test/conformance/short.ts\`; ops without a case of their own run in gradients of others.
"GPU" is what a kept \`docs/results/gpu-check.json\` says: without one, nothing has run on a GPU.

${table}`;
  await expect(text).toMatchFileSnapshot(join(results, 'cuda-kernels.md'));
  expect(rows.filter((cells) => cells.includes('no') || cells.includes('none'))).toEqual([]);
});
