import { basename } from 'node:path';
import { checkNames, checkText, checkWhole, isInt32Array, wrongArgument } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import { readText } from '../files.ts';
import type { Dataset } from './dataset.ts';
import { findFiles, readFirst } from './locate.ts';

/** Names of a text's file, best first. */
const FILES = ['tinyshakespeare.txt', 'input.txt'];
/** Of a text: its beginning is trained on, its end tested. */
const SHARES = { train: 0.9, validation: 0.05 };

/**
 * Options of windows of a text: their length and distance in tokens, and what the dataset says of itself. An unknown
 * option is `FLATMIN_ARGUMENT`.
 */
export interface TokenWindowOptions {
  /** Tokens of a window, a whole number of at least 1. */
  readonly context: number;
  /** Tokens from the beginning of one window to that of the next. Default `context`: windows side by side. */
  readonly stride?: number;
  /** How many different tokens there are. */
  readonly vocabulary: number;
  /** Names the data in reports and fingerprints. */
  readonly name: string;
  /** Whether the text was generated. Default false. */
  readonly synthetic?: boolean;
}

/**
 * Windows of a text as examples of next-token prediction: inputs i32 [context], and as labels the token after each of them.
 * A tail shorter than a window is left out. `FLATMIN_DATA` where there is not one window.
 */
export function tokenWindows(tokens: Int32Array, options: TokenWindowOptions): Dataset {
  if (!isInt32Array(tokens)) {
    throw wrongArgument('The tokens of tokenWindows', 'an Int32Array', tokens);
  }
  checkNames<TokenWindowOptions>('tokenWindows', options, {
    context: true,
    stride: true,
    vocabulary: true,
    name: true,
    synthetic: true,
  });
  const { context, stride = context, vocabulary, name, synthetic = false } = options;
  checkText('name of tokenWindows', name);
  for (const [option, value] of Object.entries({ context, stride, vocabulary })) {
    checkWhole(`${option} of tokenWindows`, value, 1);
  }
  const count = Math.floor((tokens.length - 1 - context) / stride) + 1;
  if (!(count >= 1)) {
    throw new FlatminError(
      'FLATMIN_DATA',
      `${name}: windows of ${context} tokens and the one after need at least ${context + 1}, got ${tokens.length}`,
    );
  }
  const [data, labels] = [0, 1].map((ahead) => {
    const all = new Int32Array(count * context);
    for (let i = 0; i < count; i++) {
      const from = i * stride + ahead;
      all.set(tokens.subarray(from, from + context), i * context);
    }
    return all;
  });
  return {
    name,
    synthetic,
    inputs: { data, shape: [context] },
    labels,
    labelShape: [context],
    classes: vocabulary,
    count,
  };
}

/** A text in parts, none of which overlaps another. */
export interface TextParts {
  readonly name: string;
  readonly train: string;
  readonly validation: string;
  readonly test: string;
}

/** The file of a text in `dir` or in the folder `text` there. */
export const findText = (dir: string): string | undefined =>
  FILES.find((file) => findFiles(dir, 'text', file).length > 0);

/** The first nine tenths of a text to train on, then a twentieth each for validation and test. `FLATMIN_DATA` where there is none. */
export function loadText(dir: string): TextParts {
  const { path, content } = readFirst(dir, 'text', findText(dir) ?? FILES[0], readText);
  const ends = [SHARES.train, SHARES.train + SHARES.validation].map((share) =>
    afterCharacter(content, Math.floor(share * content.length)),
  );
  return {
    name: basename(path, '.txt'),
    train: content.slice(0, ends[0]),
    validation: content.slice(ends[0], ends[1]),
    test: content.slice(ends[1]),
  };
}

/** Not between the halves of a character. */
const afterCharacter = (text: string, at: number): number =>
  /[\uDC00-\uDFFF]/.test(text.charAt(at)) ? at + 1 : at;
