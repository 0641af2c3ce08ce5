import { writeFileSync } from 'node:fs';
import type { ProgramSpec } from '../../src/graph/types.ts';

/** Collects, for ops × backends, the worst error in units of the tolerance. */
export function coverageTable(backends: readonly string[]) {
  const worst = new Map<string, Map<string, number>>();
  const note = (op: string, backend: string, error: number): void => {
    const row = worst.get(op) ?? new Map<string, number>();
    worst.set(op, row.set(backend, Math.max(row.get(backend) ?? 0, error)));
  };
  return {
    record(spec: ProgramSpec, op: string, backend: string, error: number): void {
      note(op, backend, error);
      // Ops that only gradients reach have no case of their own.
      for (const instruction of spec.instructions) {
        if (/Grad$|^(scatterAdd|expand|greaterEqual|less)$/.test(instruction.op))
          note(instruction.op, backend, error);
      }
    },
    write(): void {
      const file = process.env.FLATMIN_CONFORMANCE_TABLE;
      if (file === undefined) return;
      const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`;
      let text = line(['op', ...backends]) + line(['---', ...backends.map(() => '---:')]);
      for (const op of [...worst.keys()].sort()) {
        const cells = backends.map((backend) => worst.get(op)?.get(backend)?.toFixed(3) ?? '—');
        text += line([op, ...cells]);
      }
      writeFileSync(file, `Worst error in units of the op's tolerance; — was not run.\n\n${text}`);
    },
  };
}
