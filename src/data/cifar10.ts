import { readFileSync } from 'node:fs';
import { show } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import { type Dataset, standardise } from './dataset.ts';
import { requireFile } from './locate.ts';
import type { Split } from './mnist.ts';

/** Names of the classes, by label. */
export const CIFAR10_CLASSES: readonly string[] = [
  ...['airplane', 'automobile', 'bird', 'cat', 'deer'],
  ...['dog', 'frog', 'horse', 'ship', 'truck'],
];

/** Mean and standard deviation of the training pixels by channel, as fractions of 255. */
export const CIFAR10_MEAN = [0.4914, 0.4822, 0.4465];
export const CIFAR10_STD = [0.247, 0.2435, 0.2616];

const PIXELS = 3 * 32 * 32;
const RECORD = 1 + PIXELS;
const RECORDS = 10_000;

export const CIFAR10_FILES: Readonly<Record<Split, readonly string[]>> = {
  train: [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`),
  test: ['test_batch.bin'],
};

/**
 * CIFAR-10 from its binary version in `dir`, `dir/cifar10` or `dir/cifar-10-batches-bin`: u8 inputs [3, 32, 32] in planes
 * of red, green and blue. Throws `FLATMIN_DATA` for files that are missing or damaged.
 */
export function loadCifar10(dir: string, split: Split): Dataset {
  if (!Object.hasOwn(CIFAR10_FILES, split)) {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `split: expected 'train' or 'test', got ${show(split)}`,
    );
  }
  const files = CIFAR10_FILES[split].map((name) => requireFile(dir, 'cifar10', name));
  const count = files.length * RECORDS;
  const data = new Uint8Array(count * PIXELS);
  const labels = new Uint8Array(count);
  files.forEach((file, i) => {
    const bytes = readRecords(file);
    for (let record = 0; record < RECORDS; record++) {
      const row = i * RECORDS + record;
      const at = record * RECORD;
      labels[row] = bytes[at];
      if (labels[row] >= CIFAR10_CLASSES.length) {
        throw damaged(file, `record ${record} has label ${labels[row]}, expected 0 … 9`);
      }
      data.set(bytes.subarray(at + 1, at + RECORD), row * PIXELS);
    }
  });
  return {
    name: 'cifar10',
    synthetic: false,
    inputs: { data, shape: [3, 32, 32] },
    labels,
    classes: CIFAR10_CLASSES.length,
    count,
    normalise: standardise(CIFAR10_MEAN, CIFAR10_STD),
  };
}

function readRecords(file: string): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    const { message } = cause as Error;
    throw new FlatminError('FLATMIN_DATA', `Cannot read ${file}: ${message}`, { cause });
  }
  if (bytes.length === RECORDS * RECORD) return bytes;
  throw damaged(
    file,
    `expected ${RECORDS * RECORD} bytes, ${RECORDS} records of a label and 3072 pixels, got ${bytes.length}`,
  );
}

const damaged = (file: string, what: string) =>
  new FlatminError(
    'FLATMIN_DATA',
    `${file} is damaged: ${what}. Help: replace it with the binary version of CIFAR-10.`,
  );
