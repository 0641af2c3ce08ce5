import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { DEVICES, type DeviceName } from '../backend/device.ts';
import { loadModel } from '../doors/load-model.ts';
import { FlatminError } from '../errors.ts';
import { readText } from '../files.ts';
import { readerOf } from '../tasks/saved.ts';
import type { Answer, Writer } from '../tasks/task.ts';
import type { TrainedModel } from '../train/model.ts';
import { device, nonNegative, wholeFrom } from './arguments.ts';

/** Of models that write. */
interface WritingOptions {
  readonly tokens?: number;
  readonly temperature?: number;
  readonly topK?: number;
  readonly seed?: number;
}

/** How many tokens are written. */
const TOKENS = 200;

interface PredictOptions extends WritingOptions {
  readonly device: DeviceName;
  readonly threads?: number;
  readonly json?: boolean;
}

export function predictCommand(program: Command): void {
  program
    .command('predict')
    .description(
      'answer new rows of a table (CSV), sentences (.conll, or one a line) or images (PNG, IDX, CIFAR-10), or go on from a text',
    )
    .argument('<model>', 'folder of a run, or its model.safetensors')
    .argument('<inputs...>', 'files of what is to be answered')
    .option('--device <name>', `one of: ${DEVICES.join(', ')}, cuda:1, …`, device, 'auto')
    .option(
      '--threads <n>',
      'CPU threads (default: FLATMIN_THREADS, else every core)',
      wholeFrom(1),
    )
    .option('--tokens <n>', `of text: tokens to write (default: ${TOKENS})`, wholeFrom(1))
    .option(
      '--temperature <x>',
      'of text: logits are divided by it, 0 takes the likeliest token (default: 1)',
      nonNegative,
    )
    .option('--top-k <n>', 'of text: draw from the n likeliest tokens alone', wholeFrom(1))
    .option('--seed <n>', 'of text: decides the draws (default: 0)', wholeFrom(0))
    .option('--json', 'print one JSON object a line')
    .action(predict);
}

/** One answer a line, of sentences one word and its tag; of a text what comes next. */
async function predict(
  model: string,
  files: readonly string[],
  { json, device, threads, ...writing }: PredictOptions,
): Promise<void> {
  const path = isFolder(model) ? join(model, 'model.safetensors') : model;
  const where = { device, threads };
  const { task, reader } = readerOf(path);
  if (reader.writer !== undefined) {
    const prompts = files.map((file) => ({ file, prompt: promptOf(file) }));
    const trained = loadModel(reader.model, path, where);
    return write(reader.writer, trained, prompts, { json, ...writing });
  }
  for (const name of Object.keys(writing)) {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `${FLAGS[name as keyof WritingOptions]} is for text, and the model is of ${task.name}`,
    );
  }
  const all = files.map((file) => ({ file, ...reader.read(file) }));
  const trained = loadModel(reader.model, path, where);
  for (const { file, inputs, answers } of all) {
    answers(await trained.predictAsync(inputs)).forEach((answer, i) => {
      const event = { event: 'prediction', file, row: i + 1, ...answer };
      process.stdout.write(json ? `${JSON.stringify(event)}\n` : textOf(answer));
    });
  }
}

const FLAGS = {
  tokens: '--tokens',
  temperature: '--temperature',
  topK: '--top-k',
  seed: '--seed',
} satisfies Record<keyof WritingOptions, string>;

async function write(
  writer: Writer,
  model: TrainedModel,
  prompts: readonly { readonly file: string; readonly prompt: string }[],
  { json, tokens = TOKENS, ...sampling }: WritingOptions & { readonly json?: boolean },
): Promise<void> {
  for (const { file, prompt } of prompts) {
    const text = await writer(model, prompt, { count: tokens, ...sampling });
    const event = { event: 'prediction', file, row: 1, text };
    process.stdout.write(json ? `${JSON.stringify(event)}\n` : `${prompt}${text}\n`);
  }
}

function promptOf(file: string): string {
  const prompt = readText(file);
  if (prompt !== '') return prompt;
  throw new FlatminError('FLATMIN_DATA', `${file} holds no text to go on from`);
}

const textOf = (answer: Answer): string =>
  'tags' in answer
    ? `${answer.words.map((word, t) => `${word}\t${answer.tags[t]}`).join('\n')}\n\n`
    : `${answer.answer}\t${answer.probability.toFixed(4)}\n`;

const isFolder = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
