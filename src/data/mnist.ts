import { checkNames, show } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import { type Dataset, shownAs, standardise } from './dataset.ts';
import { type IdxArray, readIdx } from './idx.ts';
import { readFirst } from './locate.ts';
import { isPng, readPng } from './png.ts';

export type Split = 'train' | 'test';

/** Mean and standard deviation of the pixels of the 60,000 training images, as fractions of 255. */
export const MNIST_MEAN = 0.1307;
export const MNIST_STD = 0.3081;

const SIDE = 28;
const FILE_PREFIX: Record<Split, string> = { train: 'train', test: 't10k' };

export interface MnistOptions {
  /** Rows and columns of background on each side; 2 gives LeNet's 32 × 32. Default 0. */
  pad?: number;
}

/**
 * MNIST from IDX files, plain or gzip, in `dir`, `dir/mnist` or where torchvision puts them, `dir/MNIST/raw`: u8 inputs
 * of [1, 28 + 2·pad, 28 + 2·pad]. A damaged file is passed over where there is a good one. Throws `FLATMIN_DATA` for files that are missing or damaged.
 */
export function loadMnist(dir: string, split: Split, options: MnistOptions = {}): Dataset {
  checkNames<MnistOptions>('loadMnist', options, { pad: true });
  const { pad = 0 } = options;
  if (!Object.hasOwn(FILE_PREFIX, split)) {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `split: expected 'train' or 'test', got ${show(split)}`,
    );
  }
  if (!(Number.isInteger(pad) && pad >= 0 && pad <= SIDE)) {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `pad: expected an integer of 0 … ${SIDE}, got ${show(pad)}`,
    );
  }
  const prefix = FILE_PREFIX[split];
  const read = (name: string, rank: number) =>
    readFirst(dir, 'mnist', `${prefix}-${name}`, (path) => readBytes(path, rank));
  const { path: imageFile, content: images } = read('images-idx3-ubyte', 3);
  requireSide(imageFile, images);
  const { path: labelFile, content: labels } = read('labels-idx1-ubyte', 1);
  const [count] = images.shape;
  if (labels.shape[0] !== count) {
    throw wrong(
      labelFile,
      `${count} labels, one for each image of ${imageFile}`,
      `${labels.shape[0]}`,
    );
  }
  const bad = labels.data.findIndex((label) => label > 9);
  if (bad >= 0) {
    throw wrong(labelFile, 'labels of 0 … 9', `${labels.data[bad]} at index ${bad}`);
  }
  const side = SIDE + 2 * pad;
  return shownAs({
    name: 'mnist',
    synthetic: false,
    inputs: { data: padded(images.data, count, pad), shape: [1, side, side] },
    labels: labels.data,
    classes: 10,
    count,
    normalise: standardise([MNIST_MEAN], [MNIST_STD]),
  });
}

/**
 * Images as MNIST's, light on dark, from an IDX or a PNG file, u8 [1, 28 + 2·pad, 28 + 2·pad] each. `FLATMIN_DATA` for
 * another file.
 */
export function readDigits(file: string, pad: number): { data: Uint8Array; shape: number[] } {
  const images = isPng(file)
    ? { shape: [1, SIDE, SIDE], data: readPng(file, { channels: 1, side: SIDE }) }
    : readBytes(file, 3);
  requireSide(file, images);
  const [count] = images.shape;
  const side = SIDE + 2 * pad;
  return { data: padded(images.data, count, pad), shape: [count, 1, side, side] };
}

function requireSide(file: string, { shape: [, height, width] }: { shape: number[] }): void {
  if (height === SIDE && width === SIDE) return;
  throw wrong(file, `images of ${SIDE} × ${SIDE}`, `${height} × ${width}`);
}

function readBytes(file: string, rank: number): { shape: number[]; data: Uint8Array } {
  const { type, shape, data }: IdxArray = readIdx(file);
  if (!(data instanceof Uint8Array)) throw wrong(file, 'elements of type u8', type);
  if (shape.length !== rank) throw wrong(file, `${rank} dimensions`, `[${shape.join(', ')}]`);
  return { shape, data };
}

function padded(images: Uint8Array, count: number, pad: number): Uint8Array {
  if (pad === 0) return images;
  const side = SIDE + 2 * pad;
  const out = new Uint8Array(count * side * side);
  for (let i = 0; i < count; i++) {
    for (let y = 0; y < SIDE; y++) {
      const row = (i * SIDE + y) * SIDE;
      out.set(images.subarray(row, row + SIDE), (i * side + y + pad) * side + pad);
    }
  }
  return out;
}

const wrong = (file: string, expected: string, got: string) =>
  new FlatminError(
    'FLATMIN_DATA',
    `${file}: expected ${expected}, got ${got}; help: replace the file with MNIST's own ` +
      '("flatmin data fetch mnist")',
  );
