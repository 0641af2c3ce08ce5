/**
 * Event files as TensorBoard reads them: records of TFRecord (tensorflow/core/lib/io/record_writer.h), each one protocol buffer
 * `Event` (tensorflow/core/util/event.proto) with scalars in a `Summary` (tensorflow/core/framework/summary.proto).
 */

export interface Scalars {
  /** Seconds since 1970. */
  readonly wallTime: number;
  readonly step: number;
  readonly values: Readonly<Record<string, number>>;
}

/** What a file begins with. */
export const fileHead = (wallTime: number): Buffer =>
  record(message([double(1, wallTime), text(3, 'brain.Event:2')]));

export function scalarsRecord({ wallTime, step, values }: Scalars): Buffer {
  const summary = Object.entries(values).map(([tag, value]) =>
    bytes(1, message([text(1, tag), float(2, value)])),
  );
  return record(message([double(1, wallTime), integer(2, step), bytes(5, message(summary))]));
}

/** Length, its checksum, data, their checksum. */
function record(data: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeBigUInt64LE(BigInt(data.length));
  head.writeUInt32LE(maskedCrc(head.subarray(0, 8)), 8);
  const foot = Buffer.alloc(4);
  foot.writeUInt32LE(maskedCrc(data));
  return Buffer.concat([head, data, foot]);
}

const WIRE = { varint: 0, fixed64: 1, delimited: 2, fixed32: 5 } as const;

const message = (fields: readonly Buffer[]): Buffer => Buffer.concat(fields);

const key = (field: number, wire: number): Buffer => varint(field * 8 + wire);

function varint(value: number): Buffer {
  const out: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) + 128);
  return Buffer.from([...out, rest]);
}

const integer = (field: number, value: number): Buffer =>
  message([key(field, WIRE.varint), varint(value)]);

const bytes = (field: number, value: Buffer): Buffer =>
  message([key(field, WIRE.delimited), varint(value.length), value]);

const text = (field: number, value: string): Buffer => bytes(field, Buffer.from(value, 'utf8'));

function double(field: number, value: number): Buffer {
  const out = Buffer.alloc(8);
  out.writeDoubleLE(value);
  return message([key(field, WIRE.fixed64), out]);
}

function float(field: number, value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeFloatLE(value);
  return message([key(field, WIRE.fixed32), out]);
}

/** So that a checksum of data that hold their own checksum is none of its kind. */
function maskedCrc(data: Uint8Array): number {
  const crc = crc32c(data);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** Castagnoli's polynomial, reflected (RFC 3720, appendix B.4). */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  return crc;
});

export function crc32c(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) crc = (crc >>> 8) ^ TABLE[(crc ^ byte) & 255];
  return (crc ^ 0xffffffff) >>> 0;
}
