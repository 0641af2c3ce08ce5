import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ColorType, PNG } from 'pngjs';
import { afterAll, describe, expect, it } from 'vitest';
import { readDigits } from '../../src/data/mnist.ts';
import { isPng, readPng } from '../../src/data/png.ts';

const dir = mkdtempSync(join(tmpdir(), 'flatmin-png-'));
afterAll(() => rmSync(dir, { recursive: true }));

const SIDE = 28;
/** A file of the colour at each of its pixels: red, green, blue, alpha. */
function file(
  colourAt: (i: number) => readonly [number, number, number, number],
  { colorType = 6, side = SIDE }: { colorType?: ColorType; side?: number } = {},
): string {
  const png = new PNG({ width: side, height: side });
  for (let i = 0; i < side * side; i++) png.data.set(colourAt(i), 4 * i);
  const path = join(dir, 'image.png');
  writeFileSync(path, PNG.sync.write(png, { colorType, inputHasAlpha: true }));
  return path;
}

describe('a PNG file', () => {
  it('is read as planes of red, green and blue', () => {
    const path = file((i) => [i % 256, 7, 255 - (i % 256), 255]);
    expect(isPng(path)).toBe(true);
    const image = readPng(path, { channels: 3, side: SIDE });
    const pixels = SIDE * SIDE;
    expect([0, pixels, 2 * pixels].map((plane) => image[plane + 300])).toEqual([44, 7, 211]);
  });

  it('is read as brightness, by BT.601, what is transparent on black', () => {
    const read = (...colour: readonly [number, number, number, number]) =>
      readPng(
        file(() => colour),
        { channels: 1, side: SIDE },
      )[100];
    expect(read(255, 255, 255, 255)).toBe(255);
    expect(read(255, 0, 0, 255)).toBe(76);
    expect(read(0, 255, 0, 255)).toBe(150);
    expect(read(0, 0, 255, 255)).toBe(29);
    expect(read(255, 255, 255, 51)).toBe(51);
    expect(read(255, 255, 255, 0)).toBe(0);
  });

  it('is a digit with a margin around it', () => {
    const path = file((i) => [i % 251, i % 251, i % 251, 255], { colorType: 0 });
    const { data, shape } = readDigits(path, 2);
    expect(shape).toEqual([1, 1, 32, 32]);
    expect([data[0], data[2 * 32 + 2], data[3 * 32 + 3]]).toEqual([0, 0, 29]);
  });

  it('that cannot be taken says why', () => {
    const form = { channels: 1, side: SIDE } as const;
    const large = file(() => [0, 0, 0, 255], { side: 30 });
    expect(() => readPng(large, form)).toThrow(/expected an image of 28 × 28 pixels, got 30 × 30/);
    const whole = PNG.sync.write(new PNG({ width: SIDE, height: SIDE }));
    const cut = join(dir, 'cut.png');
    for (const length of [8, 20, 24, 40, 60, whole.length - 12]) {
      writeFileSync(cut, whole.subarray(0, length));
      expect(() => readPng(cut, form), `${length} bytes`).toThrow(/cut\.png(:| is damaged)/);
    }
    expect(isPng(join(import.meta.dirname, 'png.test.ts'))).toBe(false);
  });

  it('of a size that no memory holds is refused before it is unpacked', () => {
    const bytes = PNG.sync.write(new PNG({ width: SIDE, height: SIDE }));
    bytes.writeUInt32BE(2 ** 31 - 1, 16);
    const path = join(dir, 'vast.png');
    writeFileSync(path, bytes);
    expect(() => readPng(path, { channels: 3, side: SIDE })).toThrow(/got 2147483647 × 28/);
  });
});
