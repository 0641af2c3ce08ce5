import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadCifar10 } from '../../src/index.ts';

const dir = mkdtempSync(join(tmpdir(), 'flatmin-cifar10-'));
afterAll(() => rmSync(dir, { recursive: true }));

const RECORD = 3073;
/** A file of 10,000 records: label i mod 10, all pixels of record i the byte i mod 251. */
function batch(change: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes): Uint8Array {
  const bytes = new Uint8Array(10_000 * RECORD);
  for (let i = 0; i < 10_000; i++) {
    bytes.fill(i % 251, i * RECORD, (i + 1) * RECORD);
    bytes[i * RECORD] = i % 10;
  }
  return change(bytes);
}
const put = (bytes: Uint8Array) => {
  mkdirSync(join(dir, 'cifar10'), { recursive: true });
  writeFileSync(join(dir, 'cifar10', 'test_batch.bin'), bytes);
};

describe('loadCifar10', () => {
  it('reads records as planes of pixels with their labels', () => {
    put(batch());
    const { inputs, labels, count, classes, normalise } = loadCifar10(dir, 'test');
    expect([count, classes, inputs.shape]).toEqual([10_000, 10, [3, 32, 32]]);
    expect([...labels.subarray(8, 12)]).toEqual([8, 9, 0, 1]);
    expect([inputs.data[0], inputs.data[3072], inputs.data[260 * 3072]]).toEqual([0, 1, 9]);
    expect(normalise?.scale[0]).toBeCloseTo(1 / (255 * 0.247), 12);
  });

  it('says what is wrong with a file', () => {
    put(batch((bytes) => bytes.subarray(0, -1)));
    expect(() => loadCifar10(dir, 'test')).toThrow(
      /test_batch\.bin is damaged: expected 30730000 bytes.*got 30729999/,
    );
    put(
      batch((bytes) => {
        bytes[7 * RECORD] = 10;
        return bytes;
      }),
    );
    expect(() => loadCifar10(dir, 'test')).toThrow(/record 7 has label 10, expected 0 … 9/);
    expect(() => loadCifar10(dir, 'train')).toThrow(/cifar10: .*data_batch_1\.bin/);
    expect(() => loadCifar10(dir, 'dev' as 'test')).toThrow(/split: expected 'train' or 'test'/);
  });
});
