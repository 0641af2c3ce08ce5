import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { crc32c, fileHead, scalarsRecord } from '../../src/report/event-file.ts';
import { readEvents } from './read-events.ts';

const folder = mkdtempSync(join(tmpdir(), 'flatmin-events-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('event files', () => {
  it('have checksums of Castagnoli’s polynomial', () => {
    // RFC 3720, appendix B.4, and the check value of CRC-32C.
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  });

  it('are read by the public schema', () => {
    const path = join(folder, 'events');
    const values = {
      'train/loss': 0.1,
      'test/β "x"': -2,
      never: Number.NaN,
      high: Number.POSITIVE_INFINITY,
    };
    const steps = [0, 1, 127, 128, 16_383, 16_384, 2 ** 31, 2 ** 40 + 5];
    const records = steps.map((step) => scalarsRecord({ wallTime: 1e9 + step / 3, step, values }));
    writeFileSync(path, Buffer.concat([fileHead(1e9), ...records]));
    const [head, ...events] = readEvents(path);
    expect(head).toEqual({ wall_time: 1e9, file_version: 'brain.Event:2' });
    expect(events.map(({ step }) => step ?? 0)).toEqual(steps);
    for (const [i, { wall_time, summary }] of events.entries()) {
      expect(wall_time).toBe(1e9 + steps[i] / 3);
      expect(summary?.value).toEqual(
        Object.entries(values).map(([tag, value]) => ({ tag, simple_value: Math.fround(value) })),
      );
    }
  });
});
