import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { DEVICES, type DeviceName } from '../backend/device.ts';
import { loadModel } from '../doors/load-model.ts';
import { readerOf } from '../tasks/saved.ts';
import type { Answer } from '../tasks/task.ts';
import { device, wholeFrom } from './arguments.ts';

interface PredictOptions {
  readonly device: DeviceName;
  readonly threads?: number;
  readonly json?: boolean;
}

export function predictCommand(program: Command): void {
  program
    .command('predict')
    .description(
      'answer new rows of a table (CSV), sentences (.conll, or one a line) or images (PNG, IDX, CIFAR-10)',
    )
    .argument('<model>', 'folder of a run, or its model.safetensors')
    .argument('<inputs...>', 'files of what is to be answered')
    .option('--device <name>', `one of: ${DEVICES.join(', ')}, cuda:1, …`, device, 'auto')
    .option(
      '--threads <n>',
      'CPU threads (default: FLATMIN_THREADS, else every core)',
      wholeFrom(1),
    )
    .option('--json', 'print one JSON object a line')
    .action(predict);
}

/** One answer a line, of sentences one word and its tag. */
async function predict(
  model: string,
  files: readonly string[],
  { json, ...where }: PredictOptions,
): Promise<void> {
  const path = isFolder(model) ? join(model, 'model.safetensors') : model;
  const { reader } = readerOf(path);
  const all = files.map((file) => ({ file, ...reader.read(file) }));
  const trained = loadModel(reader.model, path, where);
  for (const { file, inputs, answers } of all) {
    answers(await trained.predictAsync(inputs)).forEach((answer, i) => {
      const event = { event: 'prediction', file, row: i + 1, ...answer };
      process.stdout.write(json ? `${JSON.stringify(event)}\n` : textOf(answer));
    });
  }
}

const textOf = (answer: Answer): string =>
  'tags' in answer
    ? `${answer.words.map((word, t) => `${word}\t${answer.tags[t]}`).join('\n')}\n\n`
    : `${answer.answer}\t${answer.probability.toFixed(4)}\n`;

const isFolder = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
