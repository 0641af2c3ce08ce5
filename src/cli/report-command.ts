import type { Command } from 'commander';
import { writeReport } from '../report/write.ts';
import { folder } from './arguments.ts';
import { origin } from './origin.ts';
import { readRuns } from './read-runs.ts';
import { runReport } from './run-report.ts';

export function reportCommand(program: Command): void {
  program
    .command('report')
    .description('compare runs: one page, and its plots as SVG and PNG')
    .argument('<run...>', 'folders that train --out has written, or folders of such folders')
    .option('--out <dir>', 'folder for report.html, plots and tables', folder, 'report')
    .action((runs: string[], { out }: { out: string }) => report(runs, out));
}

async function report(paths: readonly string[], out: string): Promise<void> {
  const { command, machine, version } = origin();
  const date = new Date().toISOString().slice(0, 10);
  const report = runReport(readRuns(paths), { command, machine, commit: version, date });
  const { page, pictures, noPng } = await writeReport(report, out);
  if (noPng !== undefined) process.stderr.write(`flatmin: ${noPng}\n`);
  process.stdout.write(`${page}\n`);
  process.stderr.write(`${pictures.length} pictures beside it, in plots\n`);
}
