import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { crc32c } from '../../src/report/event-file.ts';

const { root } = protobuf.parse(readFileSync(join(import.meta.dirname, 'event.proto'), 'utf8'), {
  keepCase: true,
});
const Event = root.lookupType('tensorflow.Event');

interface Told {
  readonly wall_time: number;
  readonly step: number;
  readonly file_version?: string;
  readonly summary?: { readonly value: { readonly tag: string; readonly simple_value: number }[] };
}

/** The events of a file, its checksums looked at. */
export function readEvents(path: string): Told[] {
  const data = readFileSync(path);
  const events: Told[] = [];
  for (let at = 0; at < data.length; ) {
    const length = Number(data.readBigUInt64LE(at));
    check(data.subarray(at, at + 8), data.readUInt32LE(at + 8));
    const body = data.subarray(at + 12, at + 12 + length);
    check(body, data.readUInt32LE(at + 12 + length));
    events.push(Event.toObject(Event.decode(body), { longs: Number }) as Told);
    at += 16 + length;
  }
  return events;
}

/** Unmasks as record_reader.cc does. */
function check(data: Uint8Array, masked: number): void {
  const rotated = (masked - 0xa282ead8) >>> 0;
  const crc = ((rotated >>> 17) | (rotated << 15)) >>> 0;
  if (crc !== crc32c(data)) throw new Error(`checksum ${crc}, not ${crc32c(data)}`);
}
