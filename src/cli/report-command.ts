import { relative } from 'node:path';
import type { Command } from 'commander';
import { version } from '../../scripts/record.mjs';
import { writeReport } from '../report/write.ts';
import { commit, machine } from '../study/provenance.ts';
import { folder } from './arguments.ts';
import { readRuns } from './read-runs.ts';
import { runReport } from './run-report.ts';
import { commandLine } from './words.ts';

export function reportCommand(program: Command): void {
  program
    .command('report')
    .description('compare runs: one page, and its plots as SVG and PNG')
    .argument('<run...>', 'folders that train --out has written, or folders of such folders')
    .option('--out <dir>', 'folder for report.html, plots and tables', folder, 'report')
    .action((runs: string[], { out }: { out: string }) => report(runs, out));
}

async function report(paths: readonly string[], out: string): Promise<void> {
  const report = runReport(readRuns(paths), {
    command: commandLine(),
    // Runs do not tell where they were.
    machine: `${machine()} (of this report)`,
    commit: [version, commit()].filter((part) => part !== null).join(', '),
    date: new Date().toISOString().slice(0, 10),
  });
  const { page, pictures, noPng } = await writeReport(report, out);
  if (noPng !== undefined) process.stderr.write(`flatmin: ${noPng}\n`);
  process.stdout.write(`${relative('.', page) || page}\n`);
  process.stderr.write(`${pictures.length} pictures beside it, in plots\n`);
}
