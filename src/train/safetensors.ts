import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { newNumbers } from '../backend/backend.ts';
import { FlatminError } from '../errors.ts';
import { readData, replaceFile, writing } from '../files.ts';
import type { Numbers } from '../graph/kernel.ts';
import type { DType, Shape } from '../graph/types.ts';
import { type Header, parseHeader, TO_NAME } from './safetensors-header.ts';

/**
 * The safetensors format: 8 bytes of header length, a JSON header, the tensors' bytes (little-endian). A file of
 * flatmin's says so in its metadata, as `format`, and has a `flatmin.checksum` there: the SHA-256 of the whole file with zeros
 * in the checksum's place. Other programs read it like any safetensors file.
 */

export interface NamedTensor {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: Numbers;
}

export interface TensorFile {
  readonly tensors: Readonly<Record<string, NamedTensor>>;
  readonly metadata: Readonly<Record<string, string>>;
}

const ZEROS = '0'.repeat(64);
const CHECKSUM = '"flatmin.checksum":"sha256:';

/** Puts `<what> <version>` of flatmin's into the metadata; a reader never sees half a file. */
export function writeSafetensors(
  path: string,
  {
    tensors,
    metadata,
  }: TensorFile & { readonly metadata: { readonly format: `flatmin ${string}` } },
): void {
  const header = headerOf({
    tensors,
    metadata: { ...metadata, 'flatmin.checksum': `sha256:${ZEROS}` },
  });
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  writing(path, () =>
    replaceFile(path, (file) => {
      const hash = createHash('sha256');
      for (const bytes of [
        length,
        header,
        ...Object.values(tensors).map(({ data }) => bytesOf(data)),
      ]) {
        hash.update(bytes);
        writeAll(file, bytes);
      }
      // Last, so that a file without its end is none.
      writeSync(file, hash.digest('hex'), 8 + header.indexOf(CHECKSUM) + CHECKSUM.length);
    }),
  );
}

/** The header as JSON and one to eight blanks, which make it a multiple of 8 bytes. */
function headerOf({ tensors, metadata }: TensorFile): Buffer {
  let offset = 0;
  const entries = Object.entries(tensors).map(([name, { dtype, shape, data }]) => {
    const begin = offset;
    offset += data.byteLength;
    return [name, { dtype: TO_NAME[dtype], shape, data_offsets: [begin, offset] }];
  });
  const text = JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(entries) });
  const bytes = Buffer.from(text);
  return Buffer.concat([bytes, Buffer.alloc(8 - (bytes.length % 8), ' ')]);
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Numbers): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

/**
 * Reads a safetensors file, whoever wrote it, but for tensors that are to be skipped. One that is damaged in any way that
 * can be told is `FLATMIN_DATA`: in a file of flatmin's that is a single bit.
 */
export function readSafetensors(
  path: string,
  skip: (name: string) => boolean = () => false,
): TensorFile {
  const bytes = readData(path);
  try {
    return parse(bytes, skip);
  } catch (error) {
    throw new FlatminError(
      'FLATMIN_DATA',
      `${path} is not a whole safetensors file: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

function parse(bytes: Buffer, skip: (name: string) => boolean): TensorFile {
  if (bytes.length < 8) throw new Error(`it holds ${bytes.length} bytes`);
  const length = Number(bytes.readBigUInt64LE(0));
  const begin = 8 + length;
  if (begin > bytes.length) {
    throw new Error(`a header of ${length} bytes is more than its ${bytes.length}`);
  }
  const header = parseHeader(bytes.subarray(8, begin), bytes.length - begin, skip);
  verify(bytes, bytes.subarray(0, begin), header);
  const tensors = header.entries.map(({ name, dtype, shape, ...at }) => {
    const own = bytes.subarray(begin + at.begin, begin + at.end);
    const data = newNumbers(dtype, own.length / newNumbers(dtype, 0).BYTES_PER_ELEMENT);
    bytesOf(data).set(own);
    return [name, { dtype, shape, data }] as const;
  });
  return { tensors: Object.fromEntries(tensors), metadata: header.metadata };
}

/** Compares the checksum, which a file of flatmin's must have. */
function verify(bytes: Buffer, head: Buffer, { metadata }: Header): void {
  const { 'flatmin.checksum': checksum, format = '' } = metadata;
  if (!format.startsWith('flatmin') && checksum === undefined) return;
  const at = head.indexOf(CHECKSUM) + CHECKSUM.length;
  const end = at + ZEROS.length;
  const hash = createHash('sha256').update(bytes.subarray(0, at)).update(ZEROS);
  const found = hash.update(bytes.subarray(end)).digest('hex');
  if (at >= CHECKSUM.length && checksum === `sha256:${found}`) return;
  throw new Error(
    `its bytes do not match its checksum (${checksum ?? 'none'}). Help: it was damaged or changed after it was written; take another copy.`,
  );
}
