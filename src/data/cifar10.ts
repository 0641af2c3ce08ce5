import { show } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import { readData } from '../files.ts';
import { type Dataset, shownAs, standardise } from './dataset.ts';
import { readFirst } from './locate.ts';
import type { Split } from './mnist.ts';

/** Names of the classes, by label. */
export const CIFAR10_CLASSES: readonly string[] = [
  ...['airplane', 'automobile', 'bird', 'cat', 'deer'],
  ...['dog', 'frog', 'horse', 'ship', 'truck'],
];

/** Mean and standard deviation of the training pixels by channel, as fractions of 255. */
const MEAN = [0.4914, 0.4822, 0.4465];
const STD = [0.247, 0.2435, 0.2616];

const PIXELS = 3 * 32 * 32;
const RECORD = 1 + PIXELS;
const RECORDS = 10_000;

const FILES: Readonly<Record<Split, readonly string[]>> = {
  train: [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`),
  test: ['test_batch.bin'],
};

/**
 * CIFAR-10 from its binary version in `dir`, `dir/cifar10` or `dir/cifar-10-batches-bin`: u8 inputs [3, 32, 32] in planes
 * of red, green and blue. Throws `FLATMIN_DATA` for files that are missing or damaged.
 */
export function loadCifar10(dir: string, split: Split): Dataset {
  if (!Object.hasOwn(FILES, split)) {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `split: expected 'train' or 'test', got ${show(split)}`,
    );
  }
  const count = FILES[split].length * RECORDS;
  const data = new Uint8Array(count * PIXELS);
  const labels = new Uint8Array(count);
  FILES[split].forEach((name, i) => {
    const { content } = readFirst(dir, 'cifar10', name, (file) => readCifar10(file, RECORDS));
    labels.set(content.labels, i * RECORDS);
    data.set(content.data, i * RECORDS * PIXELS);
  });
  return shownAs({
    name: 'cifar10',
    synthetic: false,
    inputs: { data, shape: [3, 32, 32] },
    labels,
    classes: CIFAR10_CLASSES.length,
    count,
    normalise: standardise(MEAN, STD),
  });
}

/**
 * Images and labels of a file in CIFAR-10's binary form, any number of records unless told; u8 [3, 32, 32] each.
 * `FLATMIN_DATA` for another file.
 */
export function readCifar10(file: string, records?: number) {
  const bytes = readData(file);
  const count = records ?? Math.floor(bytes.length / RECORD);
  if (bytes.length === 0 || bytes.length !== count * RECORD) {
    const expected =
      records === undefined ? 'whole records' : `${count * RECORD} bytes, ${count} records`;
    throw damaged(
      file,
      `expected ${expected} of a label and 3072 pixels, got ${bytes.length}${records === undefined ? ' bytes' : ''}`,
    );
  }
  const data = new Uint8Array(count * PIXELS);
  const labels = new Uint8Array(count);
  for (let record = 0; record < count; record++) {
    const at = record * RECORD;
    labels[record] = bytes[at];
    if (labels[record] >= CIFAR10_CLASSES.length) {
      throw damaged(file, `record ${record} has label ${labels[record]}, expected 0 … 9`);
    }
    data.set(bytes.subarray(at + 1, at + RECORD), record * PIXELS);
  }
  return { data, labels, shape: [count, 3, 32, 32] };
}

const damaged = (file: string, what: string) =>
  new FlatminError(
    'FLATMIN_DATA',
    `${file} is damaged: ${what}. Help: replace it with the binary version of CIFAR-10.`,
  );
