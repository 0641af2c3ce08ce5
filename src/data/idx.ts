import { fstatSync, readSync } from 'node:fs';
import { constants, gunzipSync } from 'node:zlib';
import { FlatminError } from '../errors.ts';
import { readData, reading, withPlainFile } from '../files.ts';

/**
 * IDX, the format of MNIST: two zero bytes, the element type, the rank, one big-endian uint32 per
 * dimension, then the elements, big-endian, the last dimension contiguous.
 */
export interface IdxArray {
  type: IdxType;
  shape: number[];
  /** For `u8` a view of the bytes read, not a copy. */
  data: Uint8Array | Int8Array | Int16Array | Int32Array | Float32Array | Float64Array;
}

export type IdxType = 'u8' | 'i8' | 'i16' | 'i32' | 'f32' | 'f64';

interface Kind {
  type: IdxType;
  bytes: number;
  read(view: DataView, count: number): IdxArray['data'];
}

const KINDS: Record<number, Kind> = {
  8: { type: 'u8', bytes: 1, read: (v, n) => new Uint8Array(v.buffer, v.byteOffset, n) },
  9: { type: 'i8', bytes: 1, read: (v, n) => new Int8Array(v.buffer, v.byteOffset, n) },
  11: {
    type: 'i16',
    bytes: 2,
    read: (v, n) => Int16Array.from({ length: n }, (_, i) => v.getInt16(2 * i)),
  },
  12: {
    type: 'i32',
    bytes: 4,
    read: (v, n) => Int32Array.from({ length: n }, (_, i) => v.getInt32(4 * i)),
  },
  13: {
    type: 'f32',
    bytes: 4,
    read: (v, n) => Float32Array.from({ length: n }, (_, i) => v.getFloat32(4 * i)),
  },
  14: {
    type: 'f64',
    bytes: 8,
    read: (v, n) => Float64Array.from({ length: n }, (_, i) => v.getFloat64(8 * i)),
  },
};

/** Enough for any gzip header and, at deflate's densest, 4 MB unpacked. */
const PEEK = 4096;
const DEFLATE_MAX_RATIO = 1032;

/** Reads an IDX file, or the bytes of one; gzip is recognised by its first bytes, not by a name. */
export function readIdx(source: string | Buffer): IdxArray {
  const input = typeof source === 'string' ? openInput(source) : fromBuffer(source);
  const { file, size } = input;
  const head = input.head();
  const packed = isGzip(head);
  const header = parseHeader(packed ? unpackHead(head, file) : head, file);
  if (!packed) {
    checkSize(size, header, file);
    return elements(input.all(), header);
  }
  // A header may promise no more than the packed bytes can hold, nor a file hold far more.
  if (header.total > size * DEFLATE_MAX_RATIO) {
    throw damaged(
      file,
      `its header promises ${header.total} bytes, and ${size} packed bytes cannot hold them`,
    );
  }
  if (size > 2 * header.total + 65536) {
    throw damaged(file, `its header promises ${header.total} bytes, and it packs ${size}`);
  }
  const bytes = unpack(input.all(), header, file);
  checkSize(bytes.length, header, file);
  return elements(bytes, header);
}

interface Input {
  file: string;
  size: number;
  head(): Buffer;
  all(): Buffer;
}

function openInput(file: string): Input {
  const head = Buffer.alloc(PEEK);
  const [read, size] = reading(file, () =>
    withPlainFile(file, (fd) => [readSync(fd, head, 0, PEEK, 0), fstatSync(fd).size]),
  );
  return { file, size, head: () => head.subarray(0, read), all: () => readData(file) };
}

const fromBuffer = (bytes: Buffer): Input => ({
  file: 'IDX buffer',
  size: bytes.length,
  head: () => bytes.subarray(0, PEEK),
  all: () => bytes,
});

export const isGzip = (head: Uint8Array) => head[0] === 0x1f && head[1] === 0x8b;

interface Header {
  kind: Kind;
  shape: number[];
  offset: number;
  count: number;
  /** Bytes of header and elements together. */
  total: number;
}

function parseHeader(head: Buffer, file: string): Header {
  const magic = [...head.subarray(0, 4)].map((b) => b.toString(16).padStart(2, '0')).join(' ');
  const kind = KINDS[head[2]];
  const rank = head[3];
  if (head.length >= 4 && (head[0] !== 0 || head[1] !== 0 || !kind || rank === 0)) {
    throw new FlatminError(
      'FLATMIN_DATA',
      `${file} is not an IDX file: expected the magic bytes 00 00 TYPE RANK with a type of 08, 09, ` +
        `0b … 0e and a rank of at least 1, got ${magic}`,
    );
  }
  const offset = 4 + 4 * rank;
  if (!(head.length >= offset)) {
    throw damaged(file, `its header is cut off after ${head.length} bytes`);
  }
  const shape = Array.from({ length: rank }, (_, d) => head.readUInt32BE(4 + 4 * d));
  const count = shape.reduce((product, n) => product * n, 1);
  return { kind, shape, offset, count, total: offset + count * kind.bytes };
}

function unpackHead(head: Buffer, file: string): Buffer {
  try {
    return gunzipSync(head, { finishFlush: constants.Z_SYNC_FLUSH });
  } catch (cause) {
    throw damaged(file, `its gzip data cannot be unpacked: ${(cause as Error).message}`, cause);
  }
}

function unpack(packed: Buffer, header: Header, file: string): Buffer {
  try {
    return gunzipSync(packed, { maxOutputLength: header.total });
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') {
      throw damaged(
        file,
        `it holds more than the ${header.total} bytes of ${describe(header)}`,
        cause,
      );
    }
    throw damaged(
      file,
      code === 'Z_BUF_ERROR'
        ? 'its gzip data is cut off (unexpected end of file)'
        : `its gzip data cannot be unpacked: ${message}`,
      cause,
    );
  }
}

function checkSize(bytes: number, header: Header, file: string): void {
  if (bytes === header.total) return;
  throw damaged(
    file,
    `expected ${header.total} bytes for ${describe(header)}, got ${bytes} ` +
      `(${bytes < header.total ? 'truncated' : 'extra bytes at the end'})`,
  );
}

const describe = ({ kind, shape }: Header) => `${kind.type} [${shape.join(', ')}]`;

const damaged = (file: string, what: string, cause?: unknown) =>
  new FlatminError('FLATMIN_DATA', `${file} is damaged: ${what}; help: replace the file`, {
    cause,
  });

function elements(bytes: Buffer, { kind, shape, offset, count }: Header): IdxArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, bytes.length - offset);
  return { type: kind.type, shape, data: kind.read(view, count) };
}
