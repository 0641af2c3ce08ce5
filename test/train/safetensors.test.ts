import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FlatminError } from '../../src/index.ts';
import { readSafetensors, writeSafetensors } from '../../src/train/safetensors.ts';

let dir: string;
let file: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'flatmin-safetensors-'));
  file = join(dir, 'tensors');
});
afterAll(() => rmSync(dir, { recursive: true }));

const written = {
  tensors: {
    'a "quoted" näme': { dtype: 'f32', shape: [2, 1], data: Float32Array.of(NaN, -0) },
    __proto__of: { dtype: 'i32', shape: [], data: Int32Array.of(-7) },
    empty: { dtype: 'bf16', shape: [0, 3], data: new Uint16Array() },
    bytes: { dtype: 'u8', shape: [3], data: Uint8Array.of(1, 2, 255) },
  },
  metadata: { format: 'flatmin test 1', note: '"flatmin.checksum":"sha256:none' },
} as const;

/** A file of another program's: a header, however it came about, and the tensors' bytes. */
function put(header: unknown, body: Uint8Array, { text = JSON.stringify(header) } = {}): void {
  const json = Buffer.from(text, 'latin1');
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(file, Buffer.concat([length, json, body]));
}

/** What reading the file gives. */
function fault(path = file): string {
  try {
    readSafetensors(path);
  } catch (error) {
    if (!(error instanceof FlatminError && error.code === 'FLATMIN_DATA')) throw error;
    expect(error.code).toBe('FLATMIN_DATA');
    return error.message.replaceAll(dir, '');
  }
  return 'none';
}

describe('safetensors', () => {
  it('are read back as they were written', () => {
    writeSafetensors(file, written);
    const { tensors, metadata } = readSafetensors(file);
    expect(tensors).toEqual(written.tensors);
    expect(metadata).toMatchObject(written.metadata);
    expect(readdirSync(dir)).toEqual(['tensors']);
  });

  it('of other programs are read without a checksum', () => {
    const f32 = (begin: number) => ({ dtype: 'F32', shape: [1], data_offsets: [begin, begin + 4] });
    put({ second: f32(4), first: f32(0) }, new Uint8Array(Float32Array.of(1, 2).buffer));
    expect(readSafetensors(file)).toEqual({
      metadata: {},
      tensors: {
        first: { dtype: 'f32', shape: [1], data: Float32Array.of(1) },
        second: { dtype: 'f32', shape: [1], data: Float32Array.of(2) },
      },
    });
  });

  it('of flatmin are refused where any bit is not as it was written', () => {
    writeSafetensors(file, written);
    const good = readFileSync(file);
    const silent: string[] = [];
    for (let bit = 0; bit < good.length * 8; bit++) {
      const bad = Buffer.from(good);
      bad[bit >> 3] ^= 1 << (bit & 7);
      writeFileSync(file, bad);
      if (fault() === 'none') silent.push(`bit ${bit & 7} of byte ${bit >> 3}`);
    }
    for (let length = 0; length < good.length; length++) {
      writeFileSync(file, good.subarray(0, length));
      if (fault() === 'none') silent.push(`${length} bytes`);
    }
    expect(silent).toEqual([]);
    writeFileSync(file, Buffer.concat([good, Buffer.of(0)]));
    expect(fault()).toMatch(
      /^\/tensors is not a whole safetensors file: its tensors fill 15 of 16 bytes/,
    );
  });

  const entry = (changes: object) => ({
    x: { dtype: 'F32', shape: [1], data_offsets: [0, 4], ...changes },
  });
  const body = new Uint8Array(4);
  it.each<[string, () => void]>([
    ['a header that is null', () => put(null, body)],
    ['an array', () => put([], body)],
    ['a number', () => put(7, body)],
    ['nothing', () => put('', body, { text: '' })],
    ['NUL behind it', () => put('', body, { text: `${JSON.stringify(entry({}))}\0` })],
    ['no UTF-8', () => put('', body, { text: '{"\xff":1}' })],
    ['a million brackets', () => put('', body, { text: '['.repeat(1e6) })],
    [
      'a million levels',
      () => put('', body, { text: `{"x":${'['.repeat(1e6)}${']'.repeat(1e6)}}` }),
    ],
    ['an entry of null', () => put({ x: null }, body)],
    ['no shape', () => put(entry({ shape: undefined }), body)],
    ['a shape of one number', () => put(entry({ shape: 1 }), body)],
    ['a negative dimension', () => put(entry({ shape: [-1, -1] }), body)],
    ['half a dimension', () => put(entry({ shape: [0.5, 2] }), body)],
    ['too large a shape', () => put(entry({ shape: [2 ** 40, 2 ** 40] }), body)],
    [
      'no end of a shape',
      () =>
        put(
          entry({
            shape: Array(30)
              .fill(2 ** 52)
              .concat(0),
          }),
          body,
        ),
    ],
    ['another dtype', () => put(entry({ dtype: 'F64' }), body)],
    ['offsets as text', () => put(entry({ data_offsets: ['0', '4'] }), body)],
    ['no offsets', () => put(entry({ data_offsets: undefined }), body)],
    ['negative offsets', () => put(entry({ data_offsets: [-4, 0] }), body)],
    ['offsets in reverse', () => put(entry({ shape: [0], data_offsets: [4, 0] }), body)],
    ['offsets beyond the end', () => put(entry({ data_offsets: [4, 8] }), body)],
    ['overlapping tensors', () => put({ ...entry({}), y: entry({}).x }, body)],
    ['a hole', () => put(entry({ data_offsets: [4, 8] }), new Uint8Array(8))],
    ['bytes of no tensor', () => put(entry({}), new Uint8Array(8))],
    ['metadata of null', () => put({ __metadata__: null, ...entry({}) }, body)],
    ['metadata of numbers', () => put({ __metadata__: { a: 1 }, ...entry({}) }, body)],
    [
      'a checksum that was taken out',
      () => put({ __metadata__: { format: 'flatmin model 1' } }, body.subarray(4)),
    ],
    ['a web page', () => writeFileSync(file, '<!DOCTYPE html><html></html>')],
  ])('with %s are refused', (_, make) => {
    make();
    expect(fault()).toMatch(/^\/tensors is not a whole safetensors file: ./);
  });

  it('are plain files: a pipe or a device is no place to wait for them', ({ skip }) => {
    expect(fault(join(dir, 'none'))).toMatch(/^Cannot read \/none: ENOENT/);
    expect(fault(dir)).toMatch(/^Cannot read /);
    if (process.platform === 'win32') skip('there are no such files');
    const pipe = join(dir, 'pipe');
    if (spawnSync('mkfifo', [pipe]).status === 0) {
      expect(fault(pipe)).toBe('Cannot read /pipe: it is not a plain file');
    }
    expect(fault('/dev/zero')).toBe('Cannot read /dev/zero: it is not a plain file');
  });
});
