import { type Command, Option } from 'commander';
import { DEVICES } from '../backend/device.ts';
import { COMPARED, METHOD_NAMES } from '../tasks/methods.ts';
import { SCHEDULES } from '../tasks/schedules.ts';
import type { Task } from '../tasks/task.ts';
import { TASKS } from '../tasks/tasks.ts';
import {
  cadence,
  device,
  folder,
  methods,
  nonNegative,
  oneOf,
  setting,
  wholeFrom,
} from './arguments.ts';
import type { TrainOptions } from './settings.ts';
import { train } from './train.ts';

const taskNames = TASKS.map(({ name }) => name);
/** As many as the thread pool takes. */
const MOST_THREADS = 1024;

export function trainCommand(program: Command): void {
  program
    .command('train')
    .description("train a network; what is not given is the task's setting")
    .argument('<task>', `one of: ${taskNames.join(', ')}`, oneOf(taskNames))
    .addOption(
      new Option(
        '--optimizer <names>',
        `one or more, with commas between: ${METHOD_NAMES.join(', ')}; or all, which compares ${COMPARED.length}`,
      )
        .argParser(methods)
        .default(['lion'], 'lion'),
    )
    .option('--device <name>', `one of: ${DEVICES.join(', ')}, cuda:1, …`, device, 'auto')
    .option('--epochs <n>', 'passes over the training data', wholeFrom(1))
    .option(
      '--evaluate-every <n>',
      'epochs between evaluations, or with a unit steps, as 500steps (default: 1)',
      cadence,
    )
    .option('--batch <n>', 'examples a step', wholeFrom(1))
    .option('--lr <x>', 'learning rate', nonNegative)
    .option('--weight-decay <x>', 'weight decay', nonNegative)
    .option('--rho <x>', 'radius of sam, asam, looksam', nonNegative)
    .option(
      '--set <name=value>',
      'any other option of the method, as betas=0.9,0.95 or K.kind=l1; may be repeated',
      setting,
    )
    .option(
      '--schedule <name>',
      `learning rate over the epochs, one of: ${SCHEDULES.join(', ')}`,
      oneOf(SCHEDULES),
      'constant',
    )
    .option('--data <dir>', 'folder of the data (default: FLATMIN_DATA, or ./data if it is there)')
    .addOption(
      new Option('--synthetic', 'generate the data instead of reading it').conflicts('data'),
    )
    .option('--examples <n>', 'use the first n training examples', wholeFrom(1))
    .option('--test-examples <n>', 'use the first n test examples', wholeFrom(1))
    .option('--validation', 'test on rows held out of the training data, not the test data')
    .option(
      '--width <n>',
      'units or channels of the network, of tasks but digits; of text a multiple of 4',
      wholeFrom(1),
    )
    .option('--augment', 'change training images at random: of images, crop and flip them')
    .option('--seed <n>', 'decides initialisation and shuffling', wholeFrom(0), 0)
    .option(
      '--threads <n>',
      'CPU threads (default: FLATMIN_THREADS, else every core)',
      wholeFrom(1, MOST_THREADS),
    )
    .option('--out <dir>', 'folder for metrics, checkpoint and model', folder)
    .option('--resume', 'go on with the run in --out, if there is one; --epochs may change')
    .option('--tensorboard', 'keep losses and metrics for TensorBoard too, in --out')
    .option('--json', 'print one JSON object a line instead of a table')
    .action((name: string, options: TrainOptions, command: Command) => {
      if (options.resume && options.out === undefined) {
        command.error("error: option '--resume' needs the folder of the run: --out <dir>");
      }
      if (options.tensorboard && options.out === undefined) {
        command.error("error: option '--tensorboard' needs a folder for its file: --out <dir>");
      }
      const task = TASKS.find((known) => known.name === name) as Task;
      return train(task, options);
    });
}
