import { type Command, Option } from 'commander';
import { DEVICES } from '../backend/device.ts';
import { METHOD_NAMES } from '../tasks/methods.ts';
import { SCHEDULES } from '../tasks/schedules.ts';
import type { Task } from '../tasks/task.ts';
import { TASKS } from '../tasks/tasks.ts';
import { device, folder, oneOf, setting, wholeFrom } from './arguments.ts';
import { mergeCommand, type SweepCommandOptions, sweepTask } from './sweep.ts';
import { dimension, shard } from './sweep-arguments.ts';

const taskNames = TASKS.map(({ name }) => name);

export function sweepCommand(program: Command): void {
  const command = program
    .command('sweep')
    .enablePositionalOptions()
    .description(
      'train a task over a grid or random draws of its method, judged on validation rows; every trial once, on all cores',
    )
    .argument('<task>', `one of: ${taskNames.join(', ')}`, oneOf(taskNames))
    .addOption(
      new Option('--optimizer <name>', `one of: ${METHOD_NAMES.join(', ')}`)
        .argParser(oneOf(METHOD_NAMES))
        .default('lion'),
    )
    .option(
      '--grid <name=values>',
      'what to try of an option of the method: lr=1e-4,1e-3 or betas.0=0.8..0.98:20 or lr=log:1e-5..1e-2:10; may be repeated',
      dimension,
    )
    .option(
      '--random <n>',
      'draw n points instead of trying all; ranges need no count',
      wholeFrom(1),
    )
    .option('--draw-seed <n>', 'decides the draws', wholeFrom(0), 0)
    .option('--seeds <n>', 'seeds of every point: 0 … n − 1', wholeFrom(1), 1)
    .option(
      '--set <name=value>',
      'an option of the method for all points; may be repeated',
      setting,
    )
    .addOption(
      new Option('--schedule <name>', `one of: ${SCHEDULES.join(', ')}`)
        .argParser(oneOf(SCHEDULES))
        .default('constant'),
    )
    .option('--by <measure>', 'what ranks the points', 'validation.accuracy')
    .addOption(
      new Option('--best <end>', 'which is best of it').choices(['max', 'min']).default('max'),
    )
    .option('--epochs <n>', 'passes over the training data', wholeFrom(1))
    .option('--batch <n>', 'examples a step', wholeFrom(1))
    .option('--width <n>', 'units or channels of the network, of tasks but digits', wholeFrom(1))
    .option('--augment', 'change training images at random: of images, crop and flip them')
    .option('--data <dir>', 'folder of the data (default: FLATMIN_DATA, or ./data if it is there)')
    .addOption(
      new Option('--synthetic', 'generate the data instead of reading it').conflicts('data'),
    )
    .option('--examples <n>', 'use the first n training examples', wholeFrom(1))
    .option('--test-examples <n>', 'use the first n validation, and test, examples', wholeFrom(1))
    .option('--device <name>', `one of: ${DEVICES.join(', ')}, cuda:1, …`, device, 'auto')
    .option('--jobs <n>', 'trials at a time, a process each (default: every core)', wholeFrom(1))
    .option('--threads <n>', 'CPU threads of a trial', wholeFrom(1), 1)
    .option('--shard <i/n>', 'part i of n of the trials, for several machines', shard)
    .option('--out <dir>', 'folder for the trials as they end', folder)
    .option('--resume', 'go on with the sweep in --out, if there is one')
    .option('--json', 'print trials as JSON lines instead of a table')
    .action((name: string, options: SweepCommandOptions) => {
      if (options.resume && options.out === undefined) {
        command.error("error: option '--resume' needs the folder of the sweep: --out <dir>");
      }
      return sweepTask(TASKS.find((known) => known.name === name) as Task, options);
    });
  command
    .command('merge')
    .description('put the folders of all shards of a sweep together')
    .argument('<dirs...>', 'folders of the shards')
    .requiredOption('--out <dir>', 'new folder for the whole', folder)
    .option('--by <measure>', 'what ranks the points', 'validation.accuracy')
    .addOption(
      new Option('--best <end>', 'which is best of it').choices(['max', 'min']).default('max'),
    )
    .action(mergeCommand);
}
