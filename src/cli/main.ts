import { Command } from 'commander';
import { version } from '../../scripts/record.mjs';
import { build } from './build.ts';
import { describe, diagnose } from './doctor.ts';

const program = new Command('flatmin')
  .description('Trains neural networks with sharpness- and curvature-aware optimizers')
  .version(version);

program
  .command('doctor')
  .description('tell what is there, what is missing and why')
  .option('--json', 'print one JSON object')
  .action((options: { json?: boolean }) => {
    const diagnosis = diagnose();
    process.stdout.write(`${options.json ? JSON.stringify(diagnosis) : describe(diagnosis)}\n`);
  });

program
  .command('build')
  .description('build the native addon, if it is not current')
  .action(async () => {
    process.exitCode = await build();
  });

await program.parseAsync();
