import { Command } from 'commander';
import { version } from '../../scripts/record.mjs';
import { build } from './build.ts';
import { dataCommand } from './data-command.ts';
import { describe, diagnose } from './doctor.ts';
import { fail } from './fail.ts';
import { predictCommand } from './predict-command.ts';
import { reportCommand } from './report-command.ts';
import { studyCommand } from './study-command.ts';
import { sweepCommand } from './sweep-command.ts';
import { trainCommand } from './train-command.ts';

const WRONG_USAGE = 2;

const program = new Command('flatmin')
  .description('Trains neural networks with sharpness- and curvature-aware optimizers')
  .version(version)
  // Options behind a command are that command's, also where the one above has them.
  .enablePositionalOptions()
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : WRONG_USAGE));

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

trainCommand(program);
sweepCommand(program);
reportCommand(program);
predictCommand(program);
studyCommand(program);
dataCommand(program);

// A reader that went away, or a full disk behind a redirection.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE')
    process.stderr.write(`flatmin: cannot write results: ${error.message}\n`);
  process.exit(1);
});

// A terminal that went away takes no messages, and the run has its checkpoint still to write.
process.stderr.on('error', () => {});

await program.parseAsync().catch((error) => fail(error));
