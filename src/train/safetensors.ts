import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { newNumbers } from '../backend/backend.ts';
import { FlatminError } from '../errors.ts';
import { BYTES, type DType, type Shape, sizeOf } from '../graph/types.ts';
import type { Numbers } from '../ops/define.ts';

/** The safetensors format: 8 bytes of header length, a JSON header, the tensors' bytes (little-endian). */

export interface NamedTensor {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: Numbers;
}

export interface TensorFile {
  readonly tensors: Readonly<Record<string, NamedTensor>>;
  readonly metadata: Readonly<Record<string, string>>;
}

const TO_NAME: Readonly<Record<DType, string>> = { f32: 'F32', bf16: 'BF16', i32: 'I32', u8: 'U8' };
const FROM_NAME = new Map(Object.entries(TO_NAME).map(([dtype, name]) => [name, dtype as DType]));

/** Writes beside the target and renames, so that a reader never sees half a file. */
export function writeSafetensors(path: string, { tensors, metadata }: TensorFile): void {
  const header: Record<string, unknown> = {};
  if (Object.keys(metadata).length > 0) header.__metadata__ = metadata;
  let offset = 0;
  for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
    header[name] = {
      dtype: TO_NAME[dtype],
      shape,
      data_offsets: [offset, offset + data.byteLength],
    };
    offset += data.byteLength;
  }
  const text = JSON.stringify(header);
  const json = Buffer.from(text.padEnd(Math.ceil(Buffer.byteLength(text) / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));

  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const file = openSync(temporary, 'w');
    try {
      writeSync(file, length);
      writeSync(file, json);
      for (const { data } of Object.values(tensors)) writeAll(file, data);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new FlatminError('FLATMIN_IO', `Cannot write ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function writeAll(file: number, data: Numbers): void {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

export function readSafetensors(path: string): TensorFile {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new FlatminError('FLATMIN_DATA', `Cannot read ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const broken = (what: string) =>
    new FlatminError('FLATMIN_DATA', `${path} is not a whole safetensors file: ${what}`);
  if (bytes.length < 8) throw broken(`${bytes.length} bytes`);
  const headerLength = Number(bytes.readBigUInt64LE(0));
  if (8 + headerLength > bytes.length) throw broken(`a header of ${headerLength} bytes`);
  let header: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  try {
    header = JSON.parse(bytes.toString('utf8', 8, 8 + headerLength));
  } catch {
    throw broken('its header is not JSON');
  }
  const { __metadata__: metadata = {}, ...entries } = header;
  const body = bytes.subarray(8 + headerLength);
  const tensors: Record<string, NamedTensor> = {};
  for (const [name, entry] of Object.entries(entries)) {
    const dtype = FROM_NAME.get(entry.dtype);
    const [begin, end] = entry.data_offsets ?? [];
    if (dtype === undefined) throw broken(`"${name}" has dtype ${entry.dtype}`);
    const size = sizeOf(entry.shape);
    if (end > body.length || end - begin !== size * BYTES[dtype]) {
      throw broken(`"${name}" lies at ${begin} … ${end} of ${body.length} bytes`);
    }
    const data = newNumbers(dtype, size);
    new Uint8Array(data.buffer).set(body.subarray(begin, end));
    tensors[name] = { dtype, shape: entry.shape, data };
  }
  return { tensors, metadata: metadata as Record<string, string> };
}
