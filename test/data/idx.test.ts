import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readIdx } from '../../src/data/idx.ts';
import { FlatminError } from '../../src/errors.ts';
import { idx } from './idx-bytes.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'flatmin-idx-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** The message of the FLATMIN_DATA error that reading `bytes` as a file throws, folder left out. */
function fault(bytes: Buffer): string {
  const file = join(dir, 'file');
  writeFileSync(file, bytes);
  try {
    readIdx(file);
  } catch (error) {
    expect(error).toBeInstanceOf(FlatminError);
    expect((error as FlatminError).code).toBe('FLATMIN_DATA');
    return (error as Error).message.replace(dir, 'DIR');
  }
  throw new Error('readIdx accepted the bytes');
}

const matrix = idx(8, [2, 3], Buffer.from([1, 2, 3, 4, 5, 6]));

describe('readIdx', () => {
  it.each([
    ['plain', matrix],
    ['gzip', gzipSync(matrix)],
  ])('reads %s bytes, from a buffer and from a file of any name', (_, bytes) => {
    const expected = { type: 'u8', shape: [2, 3], data: new Uint8Array([1, 2, 3, 4, 5, 6]) };
    expect(readIdx(bytes)).toEqual(expected);
    writeFileSync(join(dir, 'anything'), bytes);
    expect(readIdx(join(dir, 'anything'))).toEqual(expected);
  });

  it('reads every element type, big-endian', () => {
    const cases: [number, string, Buffer, ArrayLike<number>][] = [
      [9, 'i8', Buffer.from([0xff, 0x80]), new Int8Array([-1, -128])],
      [11, 'i16', Buffer.from([0xff, 0xfe, 0x01, 0x02]), new Int16Array([-2, 0x102])],
      [12, 'i32', Buffer.from('fffffffe01020304', 'hex'), new Int32Array([-2, 0x1020304])],
      [13, 'f32', Buffer.from('3fc00000c0000000', 'hex'), new Float32Array([1.5, -2])],
      [
        14,
        'f64',
        Buffer.from('3ff8000000000000c000000000000000', 'hex'),
        new Float64Array([1.5, -2]),
      ],
    ];
    for (const [code, type, bytes, data] of cases) {
      expect(readIdx(idx(code, [2], bytes))).toEqual({ type, shape: [2], data });
      expect(readIdx(gzipSync(idx(code, [2], bytes)))).toEqual({ type, shape: [2], data });
    }
  });

  it('reads arrays without elements', () => {
    expect(readIdx(idx(8, [0, 28, 28], Buffer.alloc(0))).data).toHaveLength(0);
    expect(readIdx(gzipSync(idx(8, [0], Buffer.alloc(0)))).shape).toEqual([0]);
  });

  it('says what is wrong with a damaged file', () => {
    const gz = gzipSync(matrix);
    const flipped = Buffer.from(gz);
    flipped[gz.length - 6] ^= 1;
    expect({
      empty: fault(Buffer.alloc(0)),
      'not IDX': fault(Buffer.from('<html>not found</html>')),
      'unknown type': fault(idx(10, [1], Buffer.from([1]))),
      'rank 0': fault(idx(8, [], Buffer.from([1]))),
      'cut header': fault(matrix.subarray(0, 9)),
      'cut plain': fault(matrix.subarray(0, 15)),
      'extra plain': fault(Buffer.concat([matrix, Buffer.from([7])])),
      'gzip, cut': fault(gz.subarray(0, -9)),
      'gzip, cut in its header': fault(gz.subarray(0, 7)),
      'gzip, bad checksum': fault(flipped),
      'gzip, content cut': fault(gzipSync(matrix.subarray(0, 15))),
      'gzip, content too long': fault(gzipSync(Buffer.concat([matrix, Buffer.from([7])]))),
      'gzip, bytes after it': fault(Buffer.concat([gz, Buffer.from('tail')])),
    }).toMatchInlineSnapshot(`
      {
        "cut header": "DIR/file is damaged: its header is cut off after 9 bytes; help: replace the file",
        "cut plain": "DIR/file is damaged: expected 18 bytes for u8 [2, 3], got 15 (truncated); help: replace the file",
        "empty": "DIR/file is damaged: its header is cut off after 0 bytes; help: replace the file",
        "extra plain": "DIR/file is damaged: expected 18 bytes for u8 [2, 3], got 19 (extra bytes at the end); help: replace the file",
        "gzip, bad checksum": "DIR/file is damaged: its gzip data cannot be unpacked: incorrect data check; help: replace the file",
        "gzip, bytes after it": "DIR/file is damaged: its gzip data cannot be unpacked: incorrect header check; help: replace the file",
        "gzip, content cut": "DIR/file is damaged: expected 18 bytes for u8 [2, 3], got 15 (truncated); help: replace the file",
        "gzip, content too long": "DIR/file is damaged: it holds more than the 18 bytes of u8 [2, 3]; help: replace the file",
        "gzip, cut": "DIR/file is damaged: its gzip data is cut off (unexpected end of file); help: replace the file",
        "gzip, cut in its header": "DIR/file is damaged: its header is cut off after 0 bytes; help: replace the file",
        "not IDX": "DIR/file is not an IDX file: expected the magic bytes 00 00 TYPE RANK with a type of 08, 09, 0b … 0e and a rank of at least 1, got 3c 68 74 6d",
        "rank 0": "DIR/file is not an IDX file: expected the magic bytes 00 00 TYPE RANK with a type of 08, 09, 0b … 0e and a rank of at least 1, got 00 00 08 00",
        "unknown type": "DIR/file is not an IDX file: expected the magic bytes 00 00 TYPE RANK with a type of 08, 09, 0b … 0e and a rank of at least 1, got 00 00 0a 01",
      }
    `);
  });

  it('allocates by what the file holds, not by what its header says', () => {
    const huge = idx(8, [0xffffffff, 0xffffffff, 28], Buffer.alloc(64));
    expect(fault(huge)).toContain('truncated');
    expect(fault(gzipSync(huge))).toContain('cannot hold them');
    const overflow = idx(14, new Array(255).fill(0xffffffff), Buffer.alloc(64));
    expect(fault(overflow)).toContain('is damaged');
    expect(fault(gzipSync(overflow))).toContain('is damaged');
    // A gzip bomb: 16 MB of zeros behind the header of 6 elements.
    const bomb = gzipSync(Buffer.concat([matrix, Buffer.alloc(16e6)]));
    expect(bomb.length).toBeLessThan(20e3);
    expect(fault(bomb)).toContain('holds more than the 18 bytes of u8 [2, 3]');
  });

  it('names a path that cannot be read', () => {
    const read = (path: string) => () => readIdx(path);
    expect(read(join(dir, 'absent'))).toThrow(/^Cannot read .*absent: ENOENT/);
    expect(read(dir)).toThrow(/^Cannot read .*: it is not a plain file/);
  });
});
