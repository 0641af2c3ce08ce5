import { type Command, Option } from 'commander';
import { DEVICES } from '../backend/device.ts';
import { STUDIES } from '../study/studies/index.ts';
import type { Study } from '../study/study.ts';
import { device, folder, oneOf, wholeFrom } from './arguments.ts';
import { runStudyCommand, type StudyCommandOptions } from './study.ts';

const names = STUDIES.map(({ name }) => name);

export function studyCommand(program: Command): void {
  program
    .command('study')
    .description('run a published comparison again and judge its claims in a report')
    .argument('<study>', `one of: ${names.join(', ')}`, oneOf(names))
    .option('--quick', 'a size that ends within a minute or two, too small to decide claims')
    .option('--select', 'tune the methods first, on validation rows, from as many points each')
    .option(
      '--only <parts>',
      'parts of the study, with commas between (default: all)',
      (text: string) => text.split(','),
    )
    .option('--seeds <n>', 'seeds of every method: 0 … n − 1 (default: the study’s)', wholeFrom(1))
    .option('--data <dir>', 'folder of the data (default: FLATMIN_DATA, or ./data if it is there)')
    .addOption(
      new Option('--synthetic', 'generate the data instead of reading it').conflicts('data'),
    )
    .option('--device <name>', `one of: ${DEVICES.join(', ')}, cuda:1, …`, device, 'auto')
    .option('--threads <n>', 'CPU threads of a timed run (default: every core)', wholeFrom(1))
    .option('--untimed', 'runs share the machine with other work; their seconds come by --paces')
    .option(
      '--paces',
      'run nothing but an epoch of every method that ran untimed, in turn: for a machine that does nothing else',
    )
    .option(
      '--jobs <n>',
      'trials of a selection or grid, or parts of an experiment, at a time (default: every core)',
      wholeFrom(1),
    )
    .option('--out <dir>', 'folder for the study (default: studies/<study>)', folder)
    .option('--resume', 'go on with the study in its folder, if there is one')
    .option('--report', 'run nothing, write the report of what is there')
    .action((name: string, options: StudyCommandOptions) =>
      runStudyCommand(STUDIES.find((study) => study.name === name) as Study, options),
    );
}
