import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadMnist } from '../../src/data/mnist.ts';
import { FlatminError } from '../../src/errors.ts';
import { idx } from './idx-bytes.ts';

const IMAGES = 't10k-images-idx3-ubyte';
const LABELS = 't10k-labels-idx1-ubyte';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'flatmin-mnist-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** Image i has the byte 10·i + 1 in its first pixel, 10·i + 2 in its last. */
function images(count: number, side = 28): Buffer {
  const pixels = Buffer.alloc(count * side * side);
  for (let i = 0; i < count; i++) {
    pixels[i * side * side] = 10 * i + 1;
    pixels[(i + 1) * side * side - 1] = 10 * i + 2;
  }
  return idx(8, [count, side, side], pixels);
}

const labels = (...values: number[]) => idx(8, [values.length], Buffer.from(values));

function fault(): string {
  try {
    loadMnist(dir, 'test');
  } catch (error) {
    expect(error).toBeInstanceOf(FlatminError);
    expect((error as FlatminError).code).toBe('FLATMIN_DATA');
    return (error as Error).message.replaceAll(dir, 'DIR');
  }
  throw new Error('loadMnist accepted the folder');
}

describe('loadMnist', () => {
  it.each([
    ['plain', '', (b: Buffer) => b],
    ['gzip', '.gz', gzipSync],
  ])('reads %s files in the folder or in its mnist/', (_, suffix, pack) => {
    mkdirSync(join(dir, 'mnist'));
    for (const folder of [dir, join(dir, 'mnist')]) {
      writeFileSync(join(folder, IMAGES + suffix), pack(images(2)));
      writeFileSync(join(folder, LABELS + suffix), pack(labels(9, 0)));
      const data = loadMnist(dir, 'test');
      expect(data).toMatchObject({ name: 'mnist', synthetic: false, classes: 10, count: 2 });
      expect(data.inputs.shape).toEqual([1, 28, 28]);
      expect([0, 783, 784, 1567].map((i) => data.inputs.data[i])).toEqual([1, 2, 11, 12]);
      expect([...data.labels]).toEqual([9, 0]);
      rmSync(join(folder, IMAGES + suffix));
      rmSync(join(folder, LABELS + suffix));
    }
  });

  it.each([
    ['names with a dot', '.', (name: string) => name.replace('-idx', '.idx')],
    ["torchvision's root", 'MNIST/raw', (name: string) => name],
    ["torchvision's folder", 'raw', (name: string) => name],
  ])('finds %s', (_, folder, rename) => {
    mkdirSync(join(dir, folder), { recursive: true });
    for (const suffix of ['', '.gz']) {
      const pack = suffix === '' ? (b: Buffer) => b : gzipSync;
      writeFileSync(join(dir, folder, rename(IMAGES) + suffix), pack(images(1)));
      writeFileSync(join(dir, folder, rename(LABELS) + suffix), pack(labels(3)));
      expect([...loadMnist(dir, 'test').labels]).toEqual([3]);
      rmSync(join(dir, folder, rename(IMAGES) + suffix));
      rmSync(join(dir, folder, rename(LABELS) + suffix));
    }
  });

  it('passes over a damaged file where there is a good one', () => {
    for (const name of [IMAGES, LABELS]) {
      const good = name === IMAGES ? images(1) : labels(3);
      writeFileSync(join(dir, `${name}.gz`), gzipSync(good));
      for (const damaged of [Buffer.alloc(0), good.subarray(0, 5), good.subarray(0, -1)]) {
        writeFileSync(join(dir, name), damaged);
        if (name === LABELS) expect([...loadMnist(dir, 'test').labels]).toEqual([3]);
      }
    }
    rmSync(join(dir, `${LABELS}.gz`));
    expect(fault()).toMatch(/DIR\/t10k-labels-idx1-ubyte is damaged: .*\(truncated\)/);
  });

  it('pads with background on every side', () => {
    writeFileSync(join(dir, IMAGES), images(2));
    writeFileSync(join(dir, LABELS), labels(1, 2));
    const { inputs } = loadMnist(dir, 'test', { pad: 2 });
    expect(inputs.shape).toEqual([1, 32, 32]);
    const nonZero = [...inputs.data.entries()].filter(([, value]) => value !== 0);
    const at = (image: number, y: number, x: number) => (image * 32 + y) * 32 + x;
    expect(nonZero).toEqual([
      [at(0, 2, 2), 1],
      [at(0, 29, 29), 2],
      [at(1, 2, 2), 11],
      [at(1, 29, 29), 12],
    ]);
  });

  it('says what is wrong with the folder', () => {
    const faults: Record<string, string> = { empty: fault() };
    writeFileSync(join(dir, IMAGES), images(1));
    faults['no labels'] = fault();
    const parent = dir;
    dir = join(parent, 'absent');
    faults.absent = fault();
    dir = join(parent, IMAGES);
    faults['a file'] = fault();
    dir = join(parent, 'loop');
    symlinkSync(dir, dir);
    faults.unreadable = fault().replace(/\(ELOOP.*?\)/, '(ELOOP …)');
    dir = parent;
    expect(faults).toMatchInlineSnapshot(`
      {
        "a file": "mnist: DIR is not a folder; looked for t10k-images-idx3-ubyte, t10k-images-idx3-ubyte.gz, t10k-images.idx3-ubyte, t10k-images.idx3-ubyte.gz in DIR, DIR/mnist, DIR/MNIST/raw, DIR/raw; help: run "flatmin data fetch mnist --data DIR", or name the folder that holds the files",
        "absent": "mnist: the data folder DIR does not exist; looked for t10k-images-idx3-ubyte, t10k-images-idx3-ubyte.gz, t10k-images.idx3-ubyte, t10k-images.idx3-ubyte.gz in DIR, DIR/mnist, DIR/MNIST/raw, DIR/raw; help: run "flatmin data fetch mnist --data DIR", or name the folder that holds the files",
        "empty": "mnist: the data folder DIR is empty; looked for t10k-images-idx3-ubyte, t10k-images-idx3-ubyte.gz, t10k-images.idx3-ubyte, t10k-images.idx3-ubyte.gz in DIR, DIR/mnist, DIR/MNIST/raw, DIR/raw; help: run "flatmin data fetch mnist --data DIR", or name the folder that holds the files",
        "no labels": "mnist: a file is missing in the data folder DIR; looked for t10k-labels-idx1-ubyte, t10k-labels-idx1-ubyte.gz, t10k-labels.idx1-ubyte, t10k-labels.idx1-ubyte.gz in DIR, DIR/mnist, DIR/MNIST/raw, DIR/raw; help: run "flatmin data fetch mnist --data DIR", or name the folder that holds the files",
        "unreadable": "mnist: the data folder DIR cannot be read (ELOOP …); looked for t10k-images-idx3-ubyte, t10k-images-idx3-ubyte.gz, t10k-images.idx3-ubyte, t10k-images.idx3-ubyte.gz in DIR, DIR/mnist, DIR/MNIST/raw, DIR/raw; help: run "flatmin data fetch mnist --data DIR", or name the folder that holds the files",
      }
    `);
  });

  it('says what is wrong with the files', () => {
    const withFiles = (image: Buffer, label: Buffer) => {
      writeFileSync(join(dir, IMAGES), image);
      writeFileSync(join(dir, LABELS), label);
      return fault();
    };
    expect({
      'counts differ': withFiles(images(2), labels(1, 2, 3)),
      'label out of range': withFiles(images(3), labels(1, 10, 3)),
      'image size': withFiles(images(1, 32), labels(1)),
      'files exchanged': withFiles(labels(1), images(1)),
      'element type': withFiles(images(1), idx(9, [1], Buffer.from([1]))),
      truncated: withFiles(images(2).subarray(0, -1), labels(1, 2)),
    }).toMatchInlineSnapshot(`
      {
        "counts differ": "DIR/t10k-labels-idx1-ubyte: expected 2 labels, one for each image of DIR/t10k-images-idx3-ubyte, got 3; help: replace the file with MNIST's own ("flatmin data fetch mnist")",
        "element type": "DIR/t10k-labels-idx1-ubyte: expected elements of type u8, got i8; help: replace the file with MNIST's own ("flatmin data fetch mnist")",
        "files exchanged": "DIR/t10k-images-idx3-ubyte: expected 3 dimensions, got [1]; help: replace the file with MNIST's own ("flatmin data fetch mnist")",
        "image size": "DIR/t10k-images-idx3-ubyte: expected images of 28 × 28, got 32 × 32; help: replace the file with MNIST's own ("flatmin data fetch mnist")",
        "label out of range": "DIR/t10k-labels-idx1-ubyte: expected labels of 0 … 9, got 10 at index 1; help: replace the file with MNIST's own ("flatmin data fetch mnist")",
        "truncated": "DIR/t10k-images-idx3-ubyte is damaged: expected 1584 bytes for u8 [2, 28, 28], got 1583 (truncated); help: replace the file",
      }
    `);
  });

  it('refuses arguments out of range', () => {
    expect(() => loadMnist(dir, 'val' as 'test')).toThrow(
      `split: expected 'train' or 'test', got 'val'`,
    );
    expect(() => loadMnist(dir, 'test', { pad: -1 })).toThrow('pad: expected an integer of 0 … 28');
    expect(() => loadMnist(dir, 'test', { pad: 1.5 })).toThrow('got 1.5');
  });
});

const DATA = process.env.FLATMIN_DATA;

const title = `MNIST itself${DATA ? '' : ', skipped: FLATMIN_DATA names no folder'}`;
describe.skipIf(!DATA)(title, () => {
  it('has the published sizes, classes and first labels, and standardised pixels', () => {
    const train = loadMnist(DATA as string, 'train', { pad: 2 });
    expect(train.count).toBe(60_000);
    expect(train.inputs.data).toHaveLength(60_000 * 32 * 32);
    expect([...train.labels.subarray(0, 8)]).toEqual([5, 0, 4, 1, 9, 2, 1, 3]);
    const test = loadMnist(DATA as string, 'test');
    expect(test.count).toBe(10_000);
    expect([...test.labels.subarray(0, 8)]).toEqual([7, 2, 1, 0, 4, 1, 4, 9]);
    const classCounts = new Array(10).fill(0);
    for (const label of test.labels) classCounts[label]++;
    expect(classCounts).toEqual([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);

    const unpadded = loadMnist(DATA as string, 'train');
    const { scale, shift } = unpadded.normalise!;
    let sum = 0;
    let squares = 0;
    for (const pixel of unpadded.inputs.data) {
      const x = pixel * scale[0] + shift[0];
      sum += x;
      squares += x * x;
    }
    expect(sum / unpadded.inputs.data.length).toBeCloseTo(0, 3);
    expect(squares / unpadded.inputs.data.length).toBeCloseTo(1, 3);
  });
});
