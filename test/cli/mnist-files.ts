import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { idx } from '../data/idx-bytes.ts';

/** The four files of MNIST with a few images of noise; labels count up from 0. */
export function writeMnist(dir: string, counts: { train: number; test: number }): void {
  for (const [prefix, count] of [
    ['train', counts.train],
    ['t10k', counts.test],
  ] as const) {
    const pixels = Uint8Array.from({ length: count * 784 }, (_, i) => (i * 2654435761) >>> 24);
    const labels = Uint8Array.from({ length: count }, (_, i) => i % 10);
    writeFileSync(join(dir, `${prefix}-images-idx3-ubyte`), idx(8, [count, 28, 28], pixels));
    writeFileSync(join(dir, `${prefix}-labels-idx1-ubyte`), idx(8, [count], labels));
  }
}
